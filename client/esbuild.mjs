// Bundles the extension into dist/extension.js; with --test the unit tests into dist/test/.
import * as esbuild from "esbuild";

const has = (flag) => process.argv.includes(flag);
const shared = {
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node18",
  external: ["vscode"],
  logLevel: "warning",
};

if (has("--test")) {
  await esbuild.build({ ...shared, entryPoints: ["test/unit.test.ts"], outfile: "dist/test/unit.test.cjs", sourcemap: "inline" });
} else {
  const options = {
    ...shared,
    entryPoints: ["src/extension.ts"],
    outfile: "dist/extension.js",
    minify: has("--production"),
    sourcemap: !has("--production"),
  };
  if (has("--watch")) await (await esbuild.context(options)).watch();
  else await esbuild.build(options);
}
