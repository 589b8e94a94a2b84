"""Settings from `[tool.gradsight]` of the nearest pyproject.toml and from an editor.

    [tool.gradsight]
    select = ["no-grad-block"]          # only these rules; empty or absent: all
    ignore = ["inplace-on-loss-path"]
    min-confidence = "likely"           # certain | likely | possible
    sinks = ["my_lib.step"]             # functions whose first tensor argument is a loss
    loss-path-hints = false

    [tool.gradsight.verify]
    device = "cpu"                      # auto | cuda | cpu
    python = ".venv/bin/python"         # relative to this pyproject.toml
    timeout = 60                        # seconds
    launcher = ["srun", "--gres=gpu:1"]
    entry = "pytest tests/test_step.py::test_one"

What is wrong in there becomes one sentence per mistake; everything else is used.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from ..analysis.report import CONFIDENCE_ORDER, Confidence
from ..analysis.rules import ALL_RULES
from ..analysis.settings import Settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found]

Device = Literal["auto", "cuda", "cpu"]


@dataclass(frozen=True, slots=True)
class VerifyConfig:
    """What a user may choose about the execution check; None and () mean: not chosen."""

    device: Device | None = None
    python: str | None = None
    timeout: float | None = None
    launcher: tuple[str, ...] = ()
    entry: str | None = None

    def over(self, below: VerifyConfig) -> VerifyConfig:
        """These choices, with `below` where none was made."""
        return VerifyConfig(
            device=self.device or below.device,
            python=self.python or below.python,
            timeout=self.timeout if self.timeout is not None else below.timeout,
            launcher=self.launcher or below.launcher,
            entry=self.entry or below.entry,
        )


@dataclass(frozen=True, slots=True)
class Config:
    """What a pyproject.toml says. `source` is its path, None when there is none with a `[tool.gradsight]` table."""

    settings: Settings = field(default_factory=Settings)
    verify: VerifyConfig = field(default_factory=VerifyConfig)
    problems: tuple[str, ...] = ()
    source: Path | None = None


def load_settings(root: Path | str) -> tuple[Settings, list[str]]:
    """The analysis settings that apply to `root` (a file or a folder), and one sentence per mistake in them."""
    config = load_config(root)
    return config.settings, list(config.problems)


def load_config(root: Path | str) -> Config:
    """All settings that apply to `root`: of the nearest pyproject.toml upwards that has a `[tool.gradsight]` table.

    Never raises: a file that cannot be read or parsed is a problem, and the defaults hold.
    """
    path = Path(root).absolute()
    for folder in (path, *path.parents):
        candidate = folder / "pyproject.toml"
        try:
            if not candidate.is_file():
                continue
            table = tomllib.loads(candidate.read_text(encoding="utf-8"))
        except OSError as error:
            return Config(problems=(f"{candidate} cannot be read: {error.strerror or error}",), source=candidate)
        except UnicodeDecodeError:
            return Config(problems=(f"{candidate} is not valid UTF-8, so its settings are not used",), source=candidate)
        except tomllib.TOMLDecodeError as error:
            return Config(
                problems=(f"{candidate} is not valid TOML, so its settings are not used: {error}",), source=candidate
            )
        tool = table.get("tool")
        if isinstance(tool, dict) and "gradsight" in tool:
            config = read_table(tool["gradsight"], f"{candidate}: [tool.gradsight]")
            return replace(config, source=candidate, verify=_anchored(config.verify, folder))
    return Config()


def read_table(table: object, where: str) -> Config:
    """A Config from the content of a `[tool.gradsight]` table; `where` opens each problem's sentence."""
    reader = _Reader(where)
    if not isinstance(table, Mapping):
        reader.wrong("must be a table")
        return Config(problems=tuple(reader.problems))
    settings, verify = Settings(), VerifyConfig()
    options: dict[str, Callable[[str, object], dict[str, Any]]] = {
        "select": lambda key, value: {"select": frozenset(reader.rules(key, value))},
        "ignore": lambda key, value: {"ignore": frozenset(reader.rules(key, value))},
        "min-confidence": lambda key, value: reader.choice(key, value, "min_confidence", CONFIDENCE_ORDER),
        "sinks": lambda key, value: {"sinks": tuple(reader.strings(key, value) or ())},
        "loss-path-hints": lambda key, value: reader.typed(key, value, "loss_path_hints", bool, "true or false"),
    }
    for name, value in table.items():
        key = str(name).replace("_", "-")
        if key == "verify":
            verify = _read_verify(reader, value)
        elif key in options:
            chosen = options[key](key, value)
            settings = replace(settings, **chosen)
        else:
            reader.unknown_option(str(name), [*options, "verify"])
    return Config(settings=settings, verify=verify, problems=tuple(reader.problems))


def _read_verify(reader: _Reader, table: object) -> VerifyConfig:
    if not isinstance(table, Mapping):
        reader.wrong("`verify` must be a table")
        return VerifyConfig()
    options: dict[str, Callable[[str, object], dict[str, Any]]] = {
        "device": lambda key, value: reader.choice(key, value, "device", ("auto", "cuda", "cpu")),
        "python": lambda key, value: reader.typed(key, value, "python", str, "a path"),
        "timeout": lambda key, value: reader.seconds(key, value, "timeout"),
        "launcher": lambda key, value: {"launcher": tuple(reader.strings(key, value) or ())},
        "entry": lambda key, value: reader.typed(key, value, "entry", str, "a string"),
    }
    verify = VerifyConfig()
    for name, value in table.items():
        key = str(name).replace("_", "-")
        if key in options:
            verify = replace(verify, **options[key](f"verify.{key}", value))
        else:
            reader.unknown_option(f"verify.{name}", [f"verify.{option}" for option in options])
    return verify


def _anchored(verify: VerifyConfig, folder: Path) -> VerifyConfig:
    """A relative interpreter with a folder in it is meant relative to its pyproject.toml; a bare name is for PATH."""
    if verify.python and not Path(verify.python).is_absolute() and len(Path(verify.python).parts) > 1:
        return replace(verify, python=str(folder / verify.python))
    return verify


@dataclass(slots=True)
class _Reader:
    """Reads one option at a time; a value of the wrong kind is a problem and changes nothing."""

    where: str
    problems: list[str] = field(default_factory=list)

    def wrong(self, sentence: str) -> None:
        self.problems.append(f"{self.where} {sentence}")

    def unknown_option(self, name: str, known: Iterable[str]) -> None:
        self.wrong(f"has an unknown option `{name}`{_perhaps(name, known)}")

    def strings(self, key: str, value: object) -> list[str] | None:
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return list(value)
        self.wrong(f"`{key}` must be a list of strings")
        return None

    def rules(self, key: str, value: object) -> list[str]:
        names = self.strings(key, value) or []
        for name in names:
            if name not in ALL_RULES:
                self.wrong(f"`{key}` names an unknown rule `{name}`{_perhaps(name, ALL_RULES)}")
        return [name for name in names if name in ALL_RULES]

    def choice(self, key: str, value: object, attribute: str, choices: Iterable[str]) -> dict[str, Any]:
        if value in (known := list(choices)):
            return {attribute: value}
        self.wrong(f"`{key}` must be one of {', '.join(known)}")
        return {}

    def typed(self, key: str, value: object, attribute: str, kind: type, words: str) -> dict[str, Any]:
        if isinstance(value, kind):
            return {attribute: value}
        self.wrong(f"`{key}` must be {words}")
        return {}

    def seconds(self, key: str, value: object, attribute: str) -> dict[str, Any]:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf"):
            return {attribute: float(value)}
        self.wrong(f"`{key}` must be a positive number of seconds")
        return {}


def _perhaps(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean `{close[0]}`?)" if close else ""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What an editor chose (`gradsight.*`); an unset option leaves the word to pyproject.toml."""

    enable: bool = True
    trusted: bool = True
    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    min_confidence: Confidence | None = None
    workspace_diagnostics: bool = False
    code_lens: bool = True
    inlay_hints: bool = False
    verify: VerifyConfig = field(default_factory=VerifyConfig)

    def over(self, project: Settings) -> Settings:
        """The analysis settings: the editor's selection and confidence where made, what either side ignores."""
        return replace(
            project,
            select=self.select or project.select,
            ignore=self.ignore | project.ignore,
            min_confidence=self.min_confidence or project.min_confidence,
        )


def read_client_settings(value: object, before: ClientSettings | None = None) -> tuple[ClientSettings, list[str]]:
    """An editor's settings, nested as VS Code nests them (`{"lint": {"select": []}, "verify": {"device": "auto"}}`).

    Takes what a client sent, at worst nonsense; what it does not mention keeps its value in `before`. Options of the
    extension itself (interpreter, log level, ...) are passed over. Returns the settings and one sentence per mistake.
    """
    settings = before or ClientSettings()
    reader = _Reader("editor settings:")
    if value is None:
        return settings, []
    if not isinstance(value, Mapping):
        return settings, [f"{reader.where} expected an object with gradsight's options"]
    flat = _flattened(value)
    flags = {"enable": "enable", "trusted": "trusted", "codeLens": "code_lens", "inlayHints": "inlay_hints"}
    for key, attribute in flags.items():
        if flat.get(key) is not None:
            settings = replace(settings, **reader.typed(key, flat[key], attribute, bool, "true or false"))
    if flat.get("lint.select") is not None:
        settings = replace(settings, select=frozenset(reader.rules("lint.select", flat["lint.select"])))
    if flat.get("lint.ignore") is not None:
        settings = replace(settings, ignore=frozenset(reader.rules("lint.ignore", flat["lint.ignore"])))
    if flat.get("minConfidence") is not None:
        chosen = reader.choice("minConfidence", flat["minConfidence"], "min_confidence", CONFIDENCE_ORDER)
        # "possible" is the editor's default and hides nothing: a stricter pyproject.toml keeps its word.
        if chosen.get("min_confidence") == "possible":
            chosen = {"min_confidence": None}
        settings = replace(settings, **chosen)
    if flat.get("diagnosticMode") is not None:
        mode = reader.choice("diagnosticMode", flat["diagnosticMode"], "mode", ("openFilesOnly", "workspace"))
        if mode:
            settings = replace(settings, workspace_diagnostics=mode["mode"] == "workspace")
    return replace(settings, verify=_client_verify(reader, flat, settings.verify)), reader.problems


def _client_verify(reader: _Reader, flat: Mapping[str, object], verify: VerifyConfig) -> VerifyConfig:
    changes: dict[str, Any] = {}
    device = flat.get("verify.device")
    if device == "auto":
        changes["device"] = None
    elif device is not None:
        changes |= reader.choice("verify.device", device, "device", ("auto", "cuda", "cpu"))
    for option in ("python", "entry"):
        chosen = flat.get(f"verify.{option}")
        if chosen == "":
            changes[option] = None
        elif chosen is not None:
            changes |= reader.typed(f"verify.{option}", chosen, option, str, "a string")
    if "verify.timeout" in flat and flat["verify.timeout"] is None:
        changes["timeout"] = None
    elif flat.get("verify.timeout") is not None:
        changes |= reader.seconds("verify.timeout", flat["verify.timeout"], "timeout")
    if flat.get("verify.launcher") is not None:
        launcher = reader.strings("verify.launcher", flat["verify.launcher"])
        changes |= {"launcher": tuple(launcher)} if launcher is not None else {}
    return replace(verify, **changes)


def _flattened(value: Mapping[str, object]) -> dict[str, object]:
    """`{"lint": {"select": x}}`, `{"lint.select": x}` and `{"gradsight": {...}}` all become `{"lint.select": x}`."""
    inner = value.get("gradsight")
    if isinstance(inner, Mapping):
        value = {**value, **cast("Mapping[str, object]", inner)}
    flat: dict[str, object] = {}
    for key, item in value.items():
        name = str(key).removeprefix("gradsight.")
        if isinstance(item, Mapping):
            flat |= {f"{name}.{sub}": content for sub, content in item.items()}
        else:
            flat[name] = item
    return flat
