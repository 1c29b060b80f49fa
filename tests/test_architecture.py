"""Who may import whom, and what only one room may do, read from the source."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "passwordless"

# From the doors down to the vocabulary: a room may use those named beside it, all of which stand below it.
ROOMS = {
    "urls": {"views", "webhooks"},
    "views": {
        *("forms", "sentences", "flow", "gateway", "models", "handles", "redirects", "visitor", "devices"),
        *("phones", "outcomes", "alone", "states", "conf"),
    },
    "webhooks": {"alone", "flow", "gateway", "vonage.notice", "vonage.signature", "conf"},
    "forms": {
        *("sentences", "widgets", "countries", "devices", "flow", "handles", "visitor", "codes", "phones"),
        *("cookies", "outcomes", "states", "conf"),
    },
    "widgets": {"countries"},
    "alone": set(),
    "backends": {"flow", "people", "models", "visitor", "outcomes", "states"},
    "admin": {
        *("countries", "flow", "figures", "guard", "limits", "numbers", "models", "phones", "sentences"),
        *("outcomes", "states", "conf"),
    },
    "sentences": {"countries", "codes", "phones", "outcomes", "states", "conf"},
    "commands": {
        *(
            "figures",
            "flow",
            "gateway",
            "models",
            "numbers",
            "phones",
            "codes",
            "outcomes",
            "states",
            "conf",
            "vonage.emulator",
        ),
    },
    "apps": {"checks", "logs"},
    "checks": {
        *("surroundings", "gateway", "limits", "phones", "bounds", "vonage.hosts", "vonage.signature"),
        *("states", "conf"),
    },
    "surroundings": set(),
    "bounds": {"conf"},
    "flow": {
        *(
            "gateway",
            "guard",
            "limits",
            "tally",
            "people",
            "numbers",
            "models",
            "devices",
            "phones",
            "outcomes",
            "seals",
        ),
        *("vonage.notice", "vonage.dialect", "states", "conf"),
    },
    "gateway": {
        *("vonage.v1", "vonage.v2", "vonage.decoy", "vonage.circuit", "vonage.breaker", "vonage.client"),
        *("vonage.credentials", "vonage.inprocess", "vonage.emulator", "vonage.dialect", "vonage.hosts"),
        "conf",
    },
    "figures": {"guard", "models", "states", "conf"},
    "guard": {"limits", "tally", "models", "signals", "states", "conf"},
    "limits": {"tally", "models", "outcomes", "seals", "states", "conf"},
    "tally": {"models", "states", "conf"},
    "people": {"states", "conf"},
    "numbers": {"models", "states"},
    "handles": {"cookies", "seals", "outcomes", "states"},
    "redirects": set(),
    "visitor": {"cookies", "devices", "outcomes", "conf"},
    "devices": {"cookies", "seals", "outcomes"},
    "countries": {"phones", "conf"},
    "models": {"phones", "seals", "signals", "states", "conf"},
    "phones": {"conf"},
    "codes": set(),
    "cookies": set(),
    "seals": set(),
    "outcomes": {"states"},
    "vonage.v1": {"vonage.client", "vonage.dialect", "vonage.locales", "states"},
    "vonage.v2": {"vonage.client", "vonage.dialect", "vonage.locales", "states"},
    "vonage.locales": set(),
    "vonage.decoy": {"vonage.circuit", "vonage.breaker", "vonage.client", "vonage.dialect", "states"},
    "vonage.circuit": {"vonage.breaker", "vonage.dialect", "states"},
    "vonage.breaker": set(),
    "vonage.client": {
        *("vonage.calls", "vonage.credentials", "vonage.transport", "vonage.dialect", "vonage.hosts"),
    },
    "vonage.transport": {"vonage.calls"},
    "vonage.calls": {"vonage.dialect", "states"},
    "vonage.credentials": set(),
    "vonage.inprocess": set(),
    "vonage.dialect": {"states"},
    "vonage.hosts": set(),
    "vonage.notice": {"states"},
    "vonage.signature": set(),
    "vonage.emulator": set(),
    "states": set(),
    "signals": set(),
    "logs": set(),
    "conf": set(),
}
# Imports inside functions keep start-up cheap: the SDK, the metadata of numbers, what checks would load,
# and spare sites without a store or a webhook what only those need.
DEFERRED = {
    "admin.audit": {"passwordless.admin.dashboard"},
    "apps": {"passwordless.checks", "passwordless.logs"},
    "flow": {"passwordless.flow.retention"},
    "gateway": {
        *("passwordless.vonage.client", "passwordless.vonage.credentials", "passwordless.vonage.emulator"),
        *("passwordless.vonage.inprocess", "passwordless.vonage.v1", "passwordless.vonage.v2"),
        *("passwordless.vonage.circuit", "passwordless.vonage.decoy"),
    },
    "phones": {"phonenumbers"},
    "seals": {"cryptography.fernet"},
    "tally": {"limits.errors", "limits.storage"},
    "vonage.emulator.access": {"jwt"},
    "vonage.signature": {"jwt"},
}
SDK = {"vonage", "vonage_http_client", "vonage_verify", "vonage_verify_legacy", "vonage_utils", "vonage_jwt"}
WIRE = {"socket", "ssl", "http", "urllib3", "requests", "httpx", "aiohttp", "asyncio", "socketserver"}
ON_THE_WIRE = {
    "vonage.client": {"http", "requests", "urllib3"},
    "vonage.transport": {"http", "socket", "requests", "urllib3"},
    "vonage.inprocess": {"requests", "urllib3"},
    "vonage.emulator.answers": {"http"},
    "vonage.emulator.courier": {"http"},
    "vonage.emulator.standalone": {"http", "socket", "socketserver"},
}
# Who sends a signal, and nobody else: what moved is told where it moved.
SENDERS = {"signals.attempt_moved": {"models"}, "signals.conversion_low": {"guard"}}
# What a thread of its own meets is carried to the thread that asked, which raises it.
CARRIED = {"vonage.calls": {"BaseException"}}
LONGEST_MODULE, LONGEST_FUNCTION = 350, 45


@dataclass(frozen=True)
class Import:
    """A name that a module imports, in full: `deferred` inside a function, `typing` for the checker only."""

    name: str
    deferred: bool
    typing: bool


@dataclass(frozen=True)
class Module:
    """A module of the package: its dotted name below the package, and what it says."""

    name: str
    path: Path
    text: str

    @property
    def tree(self):
        return parsed(self.text)

    @property
    def room(self):
        parts = self.name.split(".")
        if parts[0] == "management":
            return "commands"
        return ".".join(parts[:2]) if parts[0] == "vonage" else parts[0]

    @property
    def folder(self):
        parts = ("passwordless", *(part for part in self.name.split(".") if part))
        return parts if self.path.name == "__init__.py" else parts[:-1]

    def imports(self):
        return list(walk(self.tree, self.folder, deferred=False, typing=False))

    def calls(self):
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]

    def uses(self, attribute):
        return any(isinstance(node, ast.Attribute) and node.attr == attribute for node in ast.walk(self.tree))


@cache
def parsed(text):
    return ast.parse(text)


def walk(node, folder, *, deferred, typing):
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, deferred, typing) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        yield from (Import(name, deferred, typing) for name in names_of(node, folder))
    inside = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    guarded = typing or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    for child in ast.iter_child_nodes(node):
        yield from walk(child, folder, deferred=inside, typing=guarded)


def names_of(node, folder):
    """Return the modules that a `from` names: what stands after `import` where that is a module of ours."""
    start = folder[: len(folder) - node.level + 1] if node.level else ()
    base = ".".join([*start, *([node.module] if node.module else [])])
    for alias in node.names:
        whole = f"{base}.{alias.name}"
        yield whole if is_module(whole) else base


def is_module(name):
    place = PACKAGE.parent.joinpath(*name.split("."))
    return name.startswith("passwordless") and (place.with_suffix(".py").exists() or place.is_dir())


def read():
    files = [file for file in sorted(PACKAGE.rglob("*.py")) if "migrations" not in file.parts]
    for file in files:
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        yield Module(name, file, file.read_text())


MODULES = {module.name: module for module in read()}
SPEAKING = [module for name, module in MODULES.items() if name not in ("", "vonage") and module.text]
every_module = pytest.mark.parametrize("module", SPEAKING, ids=lambda module: module.name)


def room_of(name):
    """Return the room of ours that an import leads to, or None."""
    short = name.removeprefix("passwordless").removeprefix(".")
    found = MODULES.get(short)
    return found.room if found and short and name.startswith("passwordless") else None


def allowed(text, permitted):
    return set() == text - permitted


class TestRooms:
    def test_each_module_has_one(self):
        assert set(ROOMS) == {module.room for module in SPEAKING}

    @every_module
    def test_use_only_what_the_table_grants(self, module):
        assert module.room in ROOMS
        used = {room_of(one.name) for one in module.imports()} - {None, module.room}
        assert allowed(used, ROOMS[module.room]), f"{module.name} uses {used - ROOMS[module.room]}"

    def test_are_granted_nothing_that_they_do_not_use(self):
        used = {}
        for module in SPEAKING:
            used.setdefault(module.room, set()).update(room_of(one.name) for one in module.imports())
        assert {} == {room: below - used[room] for room, below in ROOMS.items() if below - used[room]}

    def test_look_downwards_only(self):
        order = list(ROOMS)
        upwards = {
            (room, used)
            for room, below in ROOMS.items()
            for used in below
            if order.index(used) <= order.index(room)
        }
        assert set() == upwards

    def test_form_no_cycles_of_modules(self):
        graph = {
            name: {
                short(one.name) for one in module.imports() if not one.typing and short(one.name) in MODULES
            }
            for name, module in MODULES.items()
        }
        assert [] == cycle(graph)

    @every_module
    def test_import_inside_functions_only_what_is_listed(self, module):
        deferred = {one.name for one in module.imports() if one.deferred}
        assert allowed(deferred, DEFERRED.get(module.name, set()))

    def test_the_list_of_those_holds_nothing_that_is_gone(self):
        found = {name: {one.name for one in MODULES[name].imports() if one.deferred} for name in DEFERRED}
        assert {} == {name: gone for name in DEFERRED if (gone := DEFERRED[name] - found[name])}

    @every_module
    def test_import_each_other_relatively(self, module):
        absolute = [
            node.module
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ImportFrom)
            and not node.level
            and (node.module or "").startswith("passwordless")
        ]
        assert [] == absolute

    def test_the_package_itself_imports_nothing(self):
        assert [] == MODULES[""].imports()


def short(name):
    return name.removeprefix("passwordless").removeprefix(".") if name.startswith("passwordless") else name


def cycle(graph):
    """Return the modules of a cycle, or nothing; a folder's facade and its modules count one by one."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        found = next((ring for one in sorted(graph[name] - {name}) if (ring := visit(one))), [])
        path.pop()
        done.add(name)
        return found

    return next((ring for name in sorted(graph) if (ring := visit(name))), [])


class TestOutside:
    VONAGE = [module for module in SPEAKING if module.name.startswith("vonage")]
    EMULATOR = [module for module in VONAGE if module.name.startswith("vonage.emulator")]

    @pytest.mark.parametrize("module", VONAGE, ids=lambda module: module.name)
    def test_vonage_knows_no_django_and_nothing_of_ours_but_the_states(self, module):
        tops = {one.name.split(".")[0] for one in module.imports()}
        ours = {
            room_of(one.name)
            for one in module.imports()
            if not (room_of(one.name) or "vonage").startswith("vonage")
        }
        assert "django" not in tops
        assert allowed(ours, {"states"})

    @pytest.mark.parametrize("module", EMULATOR, ids=lambda module: module.name)
    def test_the_emulator_needs_the_standard_library_only(self, module):
        tops = {one.name.split(".")[0] for one in module.imports()} - {"passwordless"}
        assert allowed(tops - set(sys.stdlib_module_names), {"jwt"})
        assert allowed({room_of(one.name) for one in module.imports()} - {None}, {"vonage.emulator"})

    def test_the_emulator_runs_where_there_is_no_django(self):
        line = "import sys, passwordless.vonage.emulator; print({'django', 'jwt'} & set(sys.modules))"
        done = subprocess.run(
            [sys.executable, "-c", line], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
        )
        assert "set()\n" == done.stdout

    @every_module
    def test_only_vonage_knows_the_sdk(self, module):
        if not module.name.startswith("vonage"):
            assert set() == SDK & {one.name.split(".")[0] for one in module.imports()}

    @every_module
    def test_only_the_wire_opens_sockets(self, module):
        used = WIRE & {one.name.split(".")[0] for one in module.imports()}
        assert allowed(used, ON_THE_WIRE.get(module.name, set()))
        assert not [one for one in module.imports() if one.name.startswith("urllib.request")]

    def test_only_phones_knows_libphonenumber(self):
        knowing = {
            m.name for m in SPEAKING if any(one.name.split(".")[0] == "phonenumbers" for one in m.imports())
        }
        assert {"phones"} == knowing

    def test_only_tally_knows_the_library_of_stores(self):
        knowing = {m.name for m in SPEAKING if any(one.name.split(".")[0] == "limits" for one in m.imports())}
        assert {"tally"} == knowing

    def test_a_site_that_uses_neither_store_nor_webhook_loads_neither(self):
        script = (
            "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
            "import django; django.setup()\n"
            "import passwordless.urls\n"
            "print({'limits', 'redis', 'phonenumbers', 'vonage_http_client'} & set(sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
        )
        assert "set()\n" == done.stdout


class TestOnlyOne:
    def test_conf_reads_our_setting(self):
        readers = {module.name for module in SPEAKING if module.uses("PASSWORDLESS") or reads_by_name(module)}
        assert {"conf"} == readers

    @every_module
    def test_models_write_a_status(self, module):
        if module.room != "models" and not module.name.startswith("vonage"):
            assert [] == written_statuses(module)

    def test_the_flow_calls_a_gateway(self):
        callers = {module.room for module in SPEAKING if "gateway.dialect" in names_called(module)}
        assert {"flow"} == callers

    def test_views_log_anybody_in(self):
        importers = {
            module.name for module in SPEAKING if "login" in names_from(module, "django.contrib.auth")
        }
        assert {"views"} == importers

    def test_views_touch_the_session(self):
        touching = {
            module.name
            for module in SPEAKING
            if any(name.endswith("request.session") for name in attributes(module))
        }
        assert {"views"} == touching

    def test_cookies_reads_and_gives_cookies(self):
        doing = ("COOKIES", "set_cookie", "set_signed_cookie", "get_signed_cookie", "delete_cookie")
        touching = {module.name for module in SPEAKING if any(module.uses(one) for one in doing)}
        assert {"cookies"} == touching

    def test_each_signal_is_sent_by_one_room(self):
        senders = {}
        for module in SPEAKING:
            for name in sends(module):
                senders.setdefault(name.rpartition(".")[0], set()).add(module.room)
        assert SENDERS == senders

    def test_webhooks_hear_without_asking_or_logging_in(self):
        """What Vonage posts may end an attempt; it checks nothing and lets nobody in."""
        [webhooks] = [module for module in SPEAKING if module.name == "webhooks"]
        verbs = {name for name in names_called(webhooks) if name.startswith("flow.")}
        assert ({"flow.hear"}, False) == (verbs, webhooks.uses("VERIFIED"))
        assert not MODULES["flow.hear"].uses("VERIFIED")

    def test_counters_are_written_by_the_tally_and_those_who_open_and_close(self):
        writers = {module.name for module in SPEAKING if writes_counters(module)}
        assert {"tally", "limits", "guard", "flow.unlock"} == writers


def reads_by_name(module):
    """Tell whether the name of the setting stands alone in a string, as getattr() wants it."""
    return any(
        isinstance(node, ast.Constant) and node.value == "PASSWORDLESS" for node in ast.walk(module.tree)
    )


def written_statuses(module):
    """Return the lines that assign `.status`, or hand `status=` to something that writes rows."""
    lines = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr == "status" and isinstance(node.ctx, ast.Store):
            lines.append(node.lineno)
        writes = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if writes and node.func.attr in (
            "update",
            "create",
            "get_or_create",
            "update_or_create",
            "bulk_update",
        ):
            lines += [word.value.lineno for word in node.keywords if word.arg == "status"]
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("VerificationAttempt"):
            lines += [word.value.lineno for word in node.keywords if word.arg == "status"]
    return lines


def writes_counters(module):
    """Tell whether rows of Counter are changed: by a chain of calls that begins there and ends with a write."""
    writes = (".update", ".delete", ".create", ".get_or_create", ".save")
    return any(name.startswith("Counter.objects") and name.endswith(writes) for name in names_called(module))


def names_called(module):
    return {ast.unparse(call.func) for call in module.calls()}


def sends(module):
    return {name for name in names_called(module) if name.startswith("signals.")}


def attributes(module):
    found = (node for node in ast.walk(module.tree) if isinstance(node, ast.Attribute))
    return {ast.unparse(node) for node in found}


def names_from(module, source):
    found = (
        node for node in ast.walk(module.tree) if isinstance(node, ast.ImportFrom) and node.module == source
    )
    return {alias.name for node in found for alias in node.names}


class TestSize:
    @every_module
    def test_modules_are_small(self, module):
        assert LONGEST_MODULE >= len(module.text.splitlines())

    @every_module
    def test_functions_are_small(self, module):
        assert {} == {name: size for name, size in functions(module) if size > LONGEST_FUNCTION}

    def test_functions_are_a_few_lines_at_the_median(self):
        sizes = sorted(size for module in SPEAKING for _name, size in functions(module))
        assert 12 >= sizes[len(sizes) // 2]


def functions(module):
    found = (
        node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return [(node.name, node.end_lineno - node.lineno + 1) for node in found]


def goes_on(handler):
    """Tell whether a handler only tidies up: it ends by raising what it met."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


class TestHabits:
    @every_module
    def test_says_why_it_is_one(self, module):
        assert ast.get_docstring(module.tree)

    @every_module
    def test_prints_nothing(self, module):
        assert "print" not in names_called(module)

    @every_module
    def test_leaves_nothing_for_later(self, module):
        assert [] == [word for word in ("TODO", "FIXME", "XXX", "HACK") if word in module.text]

    @every_module
    def test_catches_only_what_it_names(self, module):
        caught = {
            ast.unparse(node.type) if node.type else ""
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ExceptHandler) and not goes_on(node)
        }
        assert allowed(caught & {"", "Exception", "BaseException"}, CARRIED.get(module.name, set()))

    @every_module
    def test_is_no_drawer_for_odds_and_ends(self, module):
        assert set() == {"utils", "helpers", "common", "misc"} & set(module.name.split("."))

    @every_module
    def test_annotates_every_function(self, module):
        found = (
            node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        bare = [node.name for node in found if node.returns is None]
        assert [] == bare
