// A code-server of its own: own extensions and settings folders, a free port, and an end for sure.
import { execFile, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

export const REPOSITORY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
const ENTRY = path.join(REPOSITORY, ".cache", "code-server", "node_modules", "code-server", "out", "node", "entry.js");
const START_MS = 60_000;
const INSTALL_MS = 120_000;

/** A quiet VS Code: nothing asks, suggests, blinks or phones home, so that pictures and waits are repeatable. */
const QUIET = {
  "security.workspace.trust.startupPrompt": "never",
  "security.workspace.trust.banner": "never",
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "extensions.autoCheckUpdates": false,
  "extensions.autoUpdate": false,
  "extensions.ignoreRecommendations": true,
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "workbench.enableExperiments": false,
  "workbench.settings.enableNaturalLanguageSearch": false,
  "workbench.welcomePage.walkthroughs.openOnInstall": false,
  "workbench.colorTheme": "Default Dark Modern",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.editor.empty.hint": "hidden",
  "chat.commandCenter.enabled": false,
  "window.commandCenter": false,
  "editor.minimap.enabled": false,
  "editor.cursorBlinking": "solid",
  "editor.fontSize": 14,
  "editor.lightbulb.enabled": "on",
  "editor.hover.delay": 100,
  "editor.occurrencesHighlight": "off",
  "editor.stickyScroll.enabled": false,
  "editor.wordBasedSuggestions": "off",
  "editor.quickSuggestions": { other: "off", comments: "off", strings: "off" },
  "editor.acceptSuggestionOnEnter": "off",
  "editor.autoClosingBrackets": "never",
  "problems.defaultViewMode": "tree",
  "files.autoSave": "off",
  "git.enabled": false,
  "git.openRepositoryInParentFolders": "never",
};

/** A folder with a profile (settings and installed extension) that servers can share. */
export async function createProfile(vsix, settings) {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "gradsight-e2e-"));
  const profile = { home, extensions: path.join(home, "extensions"), userData: path.join(home, "user") };
  // VS Code reads machine settings of a remote from Machine/, all others from User/.
  for (const kind of ["User", "Machine"]) {
    fs.mkdirSync(path.join(profile.userData, kind), { recursive: true });
    fs.writeFileSync(path.join(profile.userData, kind, "settings.json"), JSON.stringify({ ...QUIET, ...settings }, null, 2));
  }
  await runEntry(["--install-extension", vsix, ...folders(profile)]);
  return profile;
}

export function removeProfile(profile) {
  fs.rmSync(profile.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/** What the extension and the language server have logged in this profile, for the report of a failed test. */
export function logsOf(profile, limit = 4_000) {
  const folder = path.join(profile.userData, "logs");
  const files = fs.existsSync(folder) ? fs.readdirSync(folder, { recursive: true }).map(String) : [];
  return files
    .filter((file) => /gradsight/i.test(file) && file.endsWith(".log"))
    .map((file) => ({ file, text: fs.readFileSync(path.join(folder, file), "utf8").trim() }))
    .filter(({ text }) => text)
    .map(({ file, text }) => `${file}:\n${text.slice(-limit)}`)
    .join("\n\n");
}

/** Serves a folder. `trusted` switches VS Code's workspace trust off, so that everything is trusted. */
export async function serve(profile, folder, { trusted = true, port = 0 } = {}) {
  const chosen = port || (await freePort());
  const args = ["--auth", "none", "--bind-addr", `127.0.0.1:${chosen}`, "--disable-telemetry", "--disable-update-check"];
  if (trusted) args.push("--disable-workspace-trust");
  const child = spawn(process.execPath, [ENTRY, ...args, ...folders(profile), folder], {
    env: environment(profile),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a process group of its own, ended as a group
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output = (output + data).slice(-20_000)));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const kill = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // Already gone.
    }
  };
  const onExit = () => kill("SIGKILL");
  process.once("exit", onExit);
  const stop = async () => {
    kill("SIGTERM");
    const late = setTimeout(() => kill("SIGKILL"), 5_000);
    await ended;
    clearTimeout(late);
    kill("SIGKILL");
    process.off("exit", onExit);
  };
  const origin = `http://127.0.0.1:${chosen}`;
  try {
    await listening(origin, child);
  } catch (error) {
    await stop();
    throw new Error(`code-server did not start: ${error.message}\n${output}`);
  }
  return { url: `${origin}/?folder=${encodeURIComponent(folder)}`, stop, ended, output: () => output };
}

function folders(profile) {
  return ["--extensions-dir", profile.extensions, "--user-data-dir", profile.userData];
}

function environment(profile) {
  const env = { ...process.env, XDG_DATA_HOME: profile.home, XDG_CONFIG_HOME: profile.home };
  // Set when this runs inside a VS Code terminal; code-server would then talk to that window.
  for (const name of Object.keys(env)) if (name.startsWith("VSCODE_")) delete env[name];
  return env;
}

function runEntry(args) {
  if (!fs.existsSync(ENTRY)) throw new Error("code-server is not set up here; run tools/codeserver/setup.sh");
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [ENTRY, ...args], { timeout: INSTALL_MS }, (error, stdout, stderr) =>
      error ? reject(new Error(`${args[0]} failed: ${stderr || stdout || error.message}`)) : resolve(stdout),
    );
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function listening(origin, child) {
  const until = Date.now() + START_MS;
  while (Date.now() < until) {
    if (child.exitCode !== null) throw new Error(`it ended with status ${child.exitCode}`);
    try {
      const answer = await fetch(`${origin}/healthz`, { signal: AbortSignal.timeout(2_000) });
      if (answer.ok) return;
    } catch {
      // Not yet listening.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no answer within ${START_MS / 1000} s`);
}
