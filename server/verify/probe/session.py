"""One run: the plan in, frames out.

Messages, in the order they may come: `hello` (torch, interpreter), `place` (device), `seen` (an observed value), `read`
(a tensor whose `.grad` is about to be read), `event` (a backward began or ended), `after` (a target statement has
run: what it raised, every leaf with its gradient), `dirty` (a custom function has changed an input unmarked),
`harness`, `stopping`, `entry` (whether it loaded the checked file), `end` (how the program ended).
The program stops as soon as every target has run as often as the plan wants.
"""

from __future__ import annotations

import builtins
import contextlib
import linecache
import os
import sys
import traceback
import types

from . import limits
from .entry import EntryError, Loaded, run_entry
from .rewrite import RECORDER, lines_of, rewrite
from .wire import Sender

MOST_SEEN = 6
MOST_EVENTS = 60
MOST_TRACE = 4000


class Stop(BaseException):
    """Every target has run; not an Exception, so that the program's own handlers let it pass."""


def main(plan):
    """Carries out the plan; the process ends here."""
    limits.before_torch()
    sender = Sender(plan.get("fd"), plan["nonce"], plan.get("spare"))
    limits.close_stdin()
    try:
        import torch
    except ImportError as error:
        sender.send("end", how="no-torch", message=str(error), python=sys.version.split()[0])
        return
    sender.send("hello", torch=str(torch.__version__), python=sys.version.split()[0], executable=sys.executable)
    from .place import Place

    try:
        place = Place(plan)
    except Exception as error:
        sender.send("end", how="no-device", message=f"{type(error).__name__}: {error}")
        return
    Run(plan, sender, place).run()


def describe_error(error, filename):
    """{"type", "message", "line", "trace"} of an exception; `line` is the deepest one in the checked file."""
    line = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == filename:
            line = number
    try:
        message = str(error)
    except Exception:
        message = "(its message could not be read)"
    try:
        rows = [
            entry
            for entry in traceback.extract_tb(error.__traceback__)
            if os.path.dirname(os.path.abspath(entry.filename)) != os.path.dirname(os.path.abspath(__file__))
            and not entry.filename.startswith("<gradsight")
        ]
        trace = "".join(traceback.format_list(rows) + traceback.format_exception_only(type(error), error))
    except Exception:
        trace = ""
    if isinstance(error, SyntaxError) and error.filename == filename:
        line, message = error.lineno, error.msg
    return {"type": type(error).__name__, "message": message[:MOST_TRACE], "line": line, "trace": trace[-MOST_TRACE:]}


class Run:
    """The recorder that the rewritten program talks to, and the run around it."""

    def __init__(self, plan, sender, place):
        from .functions import Functions
        from .keep import Compare
        from .tensors import Reader
        from .watch import Watch

        self.plan = plan
        self.send = sender.send
        self.place = place
        self.filename = plan["path"]
        self.reader = Reader(place.device_of)
        self.compare = Compare(plan["compare"]) if plan.get("compare") else None
        self.watch = Watch(self.filename, self.on_event, self.compare)
        self.functions = Functions(
            self.filename, self.on_dirty, self.compare is not None and self.compare.how == "kept"
        )
        self.left = {target["id"]: int(target.get("passes", 1)) for target in plan["targets"]}
        self.anywhere = [target["id"] for target in plan["targets"] if target.get("span") is None]
        self.passes = dict.fromkeys(self.left, 0)
        self.errors = {}
        self.marks = {}
        self.kept = {}
        self.seen_count = {}
        self.keep = {item["id"] for item in plan["observe"] if item.get("keep")}
        self.stopping = False
        self.names = {}
        self.trial = None
        self.extra = {}
        self.loaded = None

    # -- what the rewritten program calls ---------------------------------------------------------------------

    def value(self, ident, name, value):
        """An observed expression has this value, which is handed on."""
        self.seen(ident, name, value)
        return value

    def seen(self, ident, name, value):
        """A name holds this value after an observed statement."""
        if self.trial is not None:
            return
        if ident in self.keep and self._is_tensor(value):
            self.kept.setdefault(ident, [])
            if len(self.kept[ident]) < 2 and all(value is not other for _, other in self.kept[ident]):
                self.kept[ident].append((name, value))
        count = self.seen_count[ident] = self.seen_count.get(ident, 0) + 1
        if count <= MOST_SEEN:
            import torch

            self.send("seen", id=ident, name=name, facts=self.reader.facts(value), tracking=torch.is_grad_enabled())

    def read(self, idents, name, base):
        """`base.grad` is about to be read in a target; hands `base` on."""
        if self._is_tensor(base) and self.trial is None:
            state, norm = self.reader.gradient(base)
            self.send("read", ids=idents, name=name, grad=state, norm=norm, facts=self.reader.facts(base))
        return base

    def head(self, idents, value):
        """The head of a compound statement that is a target was evaluated; hands its value on."""
        self.begin(idents)
        self._after(idents, sys._getframe(1))
        return value

    def begin(self, idents):
        """A target statement begins."""
        if self.trial is not None:
            raise self.trial
        for ident in idents:
            self.errors.pop(ident, None)
            self.marks[ident] = self._marks()

    def raised(self, idents):
        """A target statement raised."""
        error = sys.exc_info()[1]
        if isinstance(error, (Stop, GeneratorExit)):
            return
        for ident in idents:
            self.errors[ident] = describe_error(error, self.filename)

    def done(self, idents):
        """A target statement is over, by an exception or not. Raises Stop when nothing is left to see."""
        self._after(idents, sys._getframe(1))

    # -- inside -----------------------------------------------------------------------------------------------

    @staticmethod
    def _is_tensor(value):
        import torch

        return isinstance(value, torch.Tensor)

    def _marks(self):
        return {id(t): self.reader.grad_mark(t) for pairs in self.kept.values() for _, t in pairs}

    def on_event(self, kind, frame, begin, error):
        """A `backward` or its kin begins or ends in `frame` (of the checked file, or None)."""
        if self.stopping or self.watch.count > MOST_EVENTS:
            return
        if self.trial is not None:
            if begin and self.anywhere:
                raise self.trial
            return
        line = frame.f_lineno if frame is not None else None
        if begin:
            self.send("event", what=kind, line=line, begin=True)
            if self.anywhere:
                self.begin(self.anywhere)
            return
        details = describe_error(error, self.filename) if error is not None else None
        if details and details["line"] is None:
            details["line"] = line
        self.send("event", what=kind, line=line, begin=False, raised=details)
        if self.anywhere:
            for ident in self.anywhere:
                if details:
                    self.errors[ident] = details
            self._after(self.anywhere, frame)

    def on_dirty(self, line, function, index, gain, same):
        self.send("dirty", line=line, function=function, index=index, gain=gain, same=same)

    def _after(self, idents, frame):
        if self.stopping or self.trial is not None:
            return
        idents = [ident for ident in idents if self.left.get(ident, 0) > 0]
        if idents:
            leaves = self.leaves(frame, self.marks.get(idents[0]))
            for ident in idents:
                self.passes[ident] += 1
                self.left[ident] -= 1
                error = self.errors.pop(ident, None)
                if error:
                    self.left[ident] = 0
                root = self.compare.root if self.compare else None
                self.send("after", id=ident, number=self.passes[ident], raised=error, leaves=leaves, root=root)
        if not any(self.left.values()):
            self.stopping = True
            # Said before the exception: the program may swallow it, or run the sink on a thread of its own.
            self.send("place", **self.place.describe(self.reader.saw_cuda))
            self.send("stopping")
            raise Stop

    def leaves(self, frame, marks=None):
        """Sources first, then every trainable leaf and parameter the frames can name."""
        from .tensors import Named, visible

        frames = [self.extra] if self.extra else []
        while frame is not None:
            if frame.f_code.co_filename == self.filename:
                frames.append(frame.f_locals)
                top = frame.f_globals
                if frame.f_locals is top:
                    break
            frame = frame.f_back
        if self.loaded is not None:
            frames += [names for names in self.loaded.namespaces() if all(names is not other for other in frames)]
        main = sys.modules.get("__main__")
        if main is not None and all(names is not vars(main) for names in frames):
            frames.append(vars(main))
        named = {id(item.tensor): item for item in visible(frames)}
        variables = {}
        for names in frames:
            for name, value in list(names.items()):
                if self._is_tensor(value) and not name.startswith("__"):
                    variables.setdefault(id(value), name)
        sources = {}
        for ident, pairs in self.kept.items():
            for name, tensor in pairs:
                sources.setdefault(id(tensor), []).append(ident)
                # The name where it was made wins over the one a function on the way gave it.
                if id(tensor) not in named or any(names.get(name) is tensor for names in frames):
                    known = any(names.get(name) is tensor for names in frames)
                    named[id(tensor)] = Named(name if known else variables.get(id(tensor), name), tensor)
        ordered = sorted(named.values(), key=lambda item: id(item.tensor) not in sources)
        return [self._leaf(item, sources.get(id(item.tensor), []), marks) for item in ordered]

    def _leaf(self, item, steps, marks):
        tensor = item.tensor
        entry = self.watch.grads.get(id(tensor))
        handed = entry is not None and entry[0] is tensor and tensor_grad_is_none(tensor)
        if handed:
            state, norm = ("none", None) if entry[1] is None else self.reader.gradient(tensor, entry[1])
        else:
            state, norm = self.reader.gradient(tensor)
        facts = self.reader.facts(tensor)
        touched = True
        if marks is not None and id(tensor) in marks and state != "none" and entry is None:
            touched = marks[id(tensor)] != self.reader.grad_mark(tensor)
        return {
            "name": item.name,
            "line": self.names.get(item.name) or self.names.get(item.name.split("[")[0].split(".")[0]),
            "grad": state,
            "norm": norm,
            "requires_grad": facts["requires_grad"],
            "is_leaf": facts["is_leaf"],
            "device": facts["device"],
            "steps": steps,
            "touched": touched,
            "parameter": item.parameter,
            "print": self.compare.of_gradient(tensor, entry[1] if handed else None) if self.compare else None,
        }

    # -- the run ----------------------------------------------------------------------------------------------

    def run(self):
        """Runs the program and tells how it ended; the process ends here."""
        text = self.plan["text"]
        linecache.cache[self.filename] = (len(text), None, lines_of(text), self.filename)
        try:
            done = rewrite(text, self.filename, self.plan["observe"], self.plan["targets"])
            code = compile(done.tree, self.filename, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError) as error:
            self.send("end", how="syntax", raised=describe_error(error, self.filename))
            return
        self.names = done.names
        for ident in done.once:
            self.left[ident] = min(1, self.left[ident])
        self.anywhere += [ident for ident in done.unplaced if ident in self.left]
        self.send("placed", unplaced=done.unplaced)
        setattr(builtins, RECORDER, self)
        self.watch.install()
        if self.plan.get("functions") or self.compare:
            self.functions.install()
        entry = self.plan.get("entry")
        if entry:
            self.loaded = Loaded(self.filename, code)
        module = self._as_main() if not entry else None
        how, failure = "completed", None
        if self.compare:
            self.compare.seed()
        self.place.enter()
        self.send("place", **self.place.describe(self.reader.saw_cuda))
        try:
            with self._kept():
                if entry:
                    run_entry(self, entry, self.loaded)
                else:
                    exec(code, module.__dict__)
        except Stop:
            how = "stopped"
        except EntryError as entry_error:
            how, failure = "entry", entry_error
        except SystemExit as exit_error:
            how, failure = "exit", exit_error
        except BaseException as any_error:
            how, failure = "raised", any_error
        if entry:
            self.send("entry", loaded=bool(self.loaded.names))
        elif how in ("completed", "exit") and not self.stopping:
            with self._kept():
                how = self._harness(module, done, how)
        leaves = []
        if how != "stopped":
            self.stopping = True
            leaves = self.leaves(None)
        self.place.leave()
        self._flush()
        details = describe_error(failure, self.filename) if failure is not None and how in ("raised", "entry") else None
        code = getattr(failure, "code", None) if how == "exit" else None
        self.send("place", **self.place.describe(self.reader.saw_cuda))
        self.send("end", how=how, raised=details, code=code, leaves=leaves)
        self._leave()

    def _kept(self):
        return self.compare.keeping() if self.compare else contextlib.nullcontext()

    def _harness(self, module, done, how):
        never = [ident for ident in self.left if not self.passes[ident]]
        waiting = {ident: done.functions[ident] for ident in never if ident in done.functions}
        if not waiting:
            return how
        from .harness import call_unreached

        try:
            call_unreached(self, module, waiting)
        except Stop:
            return "stopped"
        return how

    def _as_main(self):
        module = types.ModuleType("__main__")
        module.__file__ = self.filename
        module.__builtins__ = builtins
        sys.modules["__main__"] = module
        sys.argv = [self.filename]
        folder = os.path.dirname(self.filename)
        sys.path.insert(0, folder)
        return module

    @staticmethod
    def _flush():
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()

    @staticmethod
    def _leave():
        # Threads and exit handlers of the program must not hold the verdict up; what it printed is out.
        os._exit(0)


def tensor_grad_is_none(tensor):
    from .tensors import quietly

    with quietly():
        return tensor.grad is None
