import tseslint from "typescript-eslint";

const globals = Object.fromEntries(
  ["console", "process", "setTimeout", "clearTimeout", "setInterval", "clearInterval", "fetch", "URL", "document", "window", "AbortSignal", "Buffer", "NodeFilter", "requestAnimationFrame"].map(
    (name) => [name, "readonly"],
  ),
);

export default tseslint.config(
  { ignores: ["dist/**", "bundled/**"] },
  {
    files: ["src/**/*.ts", "test/**/*.ts"],
    extends: [...tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "no-console": "error",
      eqeqeq: "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/only-throw-error": "error",
    },
  },
  {
    // Node's runner keeps the promises of its tests itself.
    files: ["test/**/*.ts"],
    rules: { "@typescript-eslint/no-floating-promises": "off" },
  },
  {
    files: ["e2e/**/*.mjs", "scripts/**/*.mjs"],
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals },
    rules: { eqeqeq: "error", "no-undef": "error", "no-unused-vars": "error", "prefer-const": "error" },
  },
);
