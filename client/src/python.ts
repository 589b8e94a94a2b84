/**
 * Finds the Python interpreter: the setting, the Python Environments extension, the Python extension, the PATH.
 * The first that is Python 3.10 or newer wins; what was wrong with the others is kept for the message.
 */
import { execFile } from "node:child_process";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import * as vscode from "vscode";
import { reasonOf } from "./log";

export const MINIMUM = [3, 10] as const;

/** `selected` is what the user chose to run their code with, empty when nobody chose. */
export type Interpreter =
  | { readonly kind: "found"; readonly path: string; readonly version: string; readonly source: string; readonly selected: string }
  | { readonly kind: "missing"; readonly reason: string };

interface Candidate {
  readonly path: string;
  readonly source: string;
}

/** What is used of the Python Environments extension (`ms-python.vscode-python-envs`). */
interface EnvsApi {
  getEnvironment(scope: vscode.Uri | undefined): Promise<{ execInfo?: { run?: { executable?: string } } } | undefined>;
  onDidChangeEnvironment: vscode.Event<unknown>;
}

/** What is used of the Python extension (`ms-python.python`). */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(scope?: vscode.Uri): { path: string };
    resolveEnvironment(env: { path: string }): Promise<{ executable: { uri?: vscode.Uri } } | undefined>;
    onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

const ACTIVATION_MS = 20_000;
const PROBE_MS = 20_000;

/** @param setting the expanded value of `gradsight.interpreter`, or empty */
export async function findInterpreter(setting: string, log: vscode.LogOutputChannel): Promise<Interpreter> {
  const inEditor = await selectedInEditor(log);
  const problems: string[] = [];
  for (const candidate of await candidates(setting, inEditor)) {
    const version = refusalOf(candidate) ?? (await versionOf(candidate.path));
    if (typeof version !== "string" && isEnough(version)) {
      const selected = inEditor?.path ?? (setting ? candidate.path : "");
      return { kind: "found", path: candidate.path, version: version.join("."), source: candidate.source, selected };
    }
    const problem = typeof version === "string" ? version : `is Python ${version.slice(0, 2).join(".")}`;
    problems.push(`${candidate.path} (${candidate.source}) ${problem}`);
    log.warn(`${candidate.path} (${candidate.source}) ${problem}`);
  }
  const wanted = `Gradsight needs Python ${MINIMUM.join(".")} or newer`;
  return {
    kind: "missing",
    reason: problems.length > 0 ? `${wanted}: ${problems.join("; ")}.` : `${wanted}, and no interpreter was found.`,
  };
}

/** Calls back when another interpreter is selected in VS Code. */
export async function watchSelection(log: vscode.LogOutputChannel, changed: () => void): Promise<vscode.Disposable> {
  const envs = await exportsOf<EnvsApi>("ms-python.vscode-python-envs", log);
  const python = await exportsOf<PythonApi>("ms-python.python", log);
  return vscode.Disposable.from(
    ...(envs?.onDidChangeEnvironment ? [envs.onDidChangeEnvironment(changed)] : []),
    ...(python?.environments ? [python.environments.onDidChangeActiveEnvironmentPath(changed)] : []),
  );
}

/** A chosen interpreter is used or complained about, never silently replaced by another. */
async function candidates(setting: string, inEditor: Candidate | undefined): Promise<Candidate[]> {
  if (setting) {
    const found = path.isAbsolute(setting) ? setting : (await onPath(setting))[0];
    return [{ path: found ?? setting, source: "gradsight.interpreter" }];
  }
  const onThePath = (await Promise.all(["python3", "python"].map(onPath))).flat();
  return [...(inEditor ? [inEditor] : []), ...onThePath.map((found) => ({ path: found, source: "PATH" }))];
}

/** The interpreter selected in VS Code, by the extension that manages environments. */
async function selectedInEditor(log: vscode.LogOutputChannel): Promise<Candidate | undefined> {
  const scope = vscode.workspace.workspaceFolders?.[0]?.uri;
  try {
    const envs = await exportsOf<EnvsApi>("ms-python.vscode-python-envs", log);
    const executable = (await envs?.getEnvironment(scope))?.execInfo?.run?.executable;
    if (executable) return { path: executable, source: "Python Environments extension" };
  } catch (error) {
    log.warn(`The Python Environments extension gave no interpreter: ${reasonOf(error)}`);
  }
  try {
    const python = await exportsOf<PythonApi>("ms-python.python", log);
    const environments = python?.environments;
    const active = await environments?.resolveEnvironment(environments.getActiveEnvironmentPath(scope));
    if (active?.executable.uri) return { path: active.executable.uri.fsPath, source: "Python extension" };
  } catch (error) {
    log.warn(`The Python extension gave no interpreter: ${reasonOf(error)}`);
  }
  return undefined;
}

/** The exports of another extension, activated if need be; undefined when it is not there or does not come up in time. */
async function exportsOf<T>(id: string, log: vscode.LogOutputChannel): Promise<T | undefined> {
  const extension = vscode.extensions.getExtension<T>(id);
  if (!extension) return undefined;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ACTIVATION_MS)));
  try {
    return await Promise.race([extension.activate(), late]);
  } catch (error) {
    log.warn(`${id} did not start: ${reasonOf(error)}`);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Why a candidate must not be started: in an untrusted workspace, an interpreter that comes with it. */
function refusalOf(candidate: Candidate): string | undefined {
  if (vscode.workspace.isTrusted) return undefined;
  const inside = (vscode.workspace.workspaceFolders ?? []).some((folder) => {
    const relative = path.relative(folder.uri.fsPath, candidate.path);
    return !relative.startsWith("..") && !path.isAbsolute(relative);
  });
  return inside ? "lies in this workspace, which is not trusted" : undefined;
}

/** All executables of that name on the PATH; its relative entries are left out. */
async function onPath(name: string): Promise<string[]> {
  const file = process.platform === "win32" ? `${name}.exe` : name;
  const folders = (process.env["PATH"] ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  const found: string[] = [];
  for (const folder of new Set(folders)) {
    const full = path.join(folder, file);
    try {
      await fs.access(full, fs.constants.X_OK);
      found.push(full);
    } catch {
      // Not in this folder.
    }
  }
  return found;
}

/** The version of an interpreter as numbers, or what is wrong with it as the end of a sentence. */
function versionOf(executable: string): Promise<number[] | string> {
  return new Promise((resolve) => {
    const args = ["-I", "-S", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"];
    execFile(executable, args, { timeout: PROBE_MS, windowsHide: true }, (error, stdout) => {
      const match = /^(\d+)\.(\d+)\.(\d+)\s*$/.exec(stdout);
      if (match) return resolve(match.slice(1).map(Number));
      if (error && (error as NodeJS.ErrnoException).code === "ENOENT") return resolve("does not exist");
      return resolve(error?.killed ? "did not answer in time" : "is not a working Python 3");
    });
  });
}

function isEnough([major = 0, minor = 0]: readonly number[]): boolean {
  return major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1]);
}
