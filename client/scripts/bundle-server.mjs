// Puts the language server into client/bundled: the Python package of this repository, its pure-Python dependencies
// (pinned in python/requirements.txt) and the start script. Run by `npm run package`.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

const client = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const bundled = path.join(client, "bundled");
const libs = path.join(bundled, "libs");
const requirements = path.join(client, "python", "requirements.txt");
const stamp = path.join(bundled, "requirements.sha256");

/** The first interpreter with pip: the repository's virtual environment, else one on the PATH. */
function findPip() {
  const candidates = [
    process.env.GRADSIGHT_BUILD_PYTHON,
    path.join(client, "..", ".venv", "bin", "python"),
    path.join(client, "..", ".venv", "Scripts", "python.exe"),
    "python3",
    "python",
  ].filter(Boolean);
  for (const python of candidates) {
    try {
      execFileSync(python, ["-m", "pip", "--version"], { stdio: "ignore", timeout: 30_000 });
      return python;
    } catch {
      // Not there, or without pip: try the next one.
    }
  }
  throw new Error("bundling the server needs a Python with pip; set GRADSIGHT_BUILD_PYTHON to one");
}

function installDependencies() {
  const wanted = createHash("sha256").update(fs.readFileSync(requirements)).digest("hex");
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, "utf8") === wanted) return;
  fs.rmSync(libs, { recursive: true, force: true });
  fs.mkdirSync(libs, { recursive: true });
  // Wheels that fit every platform and every Python from 3.10 on: the same vsix works everywhere.
  const universal = ["--only-binary=:all:", "--platform=any", "--python-version=310", "--implementation=py", "--abi=none"];
  const quiet = ["--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes"];
  execFileSync(
    findPip(),
    ["-m", "pip", "install", ...quiet, ...universal, "--target", libs, "-r", requirements],
    { stdio: ["ignore", "inherit", "inherit"], timeout: 300_000 },
  );
  fs.rmSync(path.join(libs, "bin"), { recursive: true, force: true });
  // A third of all files, and of no use for tensors; jedi takes their absence for "no stub".
  fs.rmSync(path.join(libs, "jedi", "third_party", "django-stubs"), { recursive: true, force: true });
  fs.writeFileSync(stamp, wanted);
}

function copyServer() {
  const target = path.join(libs, "gradsight");
  fs.rmSync(target, { recursive: true, force: true });
  fs.cpSync(path.join(client, "..", "server"), target, {
    recursive: true,
    filter: (source) => !/(^|[\\/])(__pycache__|[^\\/]*\.pyc)$/.test(source),
  });
  fs.copyFileSync(path.join(client, "python", "start.py"), path.join(bundled, "start.py"));
}

/** A bundle that cannot be imported on its own would be a vsix whose server never starts. */
function checkBundle() {
  const script = "import sys; sys.path.insert(0, sys.argv[1]); import gradsight.lsp.server; assert 'torch' not in sys.modules";
  try {
    execFileSync(findPip(), ["-I", "-S", "-B", "-c", script, libs], { stdio: ["ignore", "ignore", "pipe"], timeout: 60_000 });
  } catch (error) {
    const why = String(error.stderr ?? error.message).trim().split("\n").at(-1);
    throw new Error(`the bundled server cannot be imported: ${why}`);
  }
}

installDependencies();
copyServer();
checkBundle();
console.log(`bundled the server into ${path.relative(process.cwd(), bundled)}`);
