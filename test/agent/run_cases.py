"""Runs the cases of src/agent/cases.json against the Python agent, and prints the results."""

import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../deploy/agent"))
import lablink_agent as agent  # noqa: E402

NOW = "2030-01-01T00:00:00.000Z"


def parse_entry(text):
    assignment_id, _, outcome = text.partition(":")
    entry = {"assignment_id": assignment_id, "began_at": NOW}
    if outcome == "open":
        return entry
    end = {"at": NOW, "outcome": outcome.rstrip("+"), "exit_code": None, "signal": None}
    return {**entry, "end": end, **({"reported": True} if outcome.endswith("+") else {})}


def format_entry(entry):
    outcome = entry["end"]["outcome"] if "end" in entry else "open"
    return f"{entry['assignment_id']}:{outcome}{'+' if entry.get('reported') else ''}"


def parse_event(text):
    kind, first, second, *_ = [*text.split(" "), "", ""]
    if kind == "row":
        vm = {"hostname": "vm-1", "assignment_id": None if second == "-" else second}
        message = {"type": "absent", "hostname": "vm-1"} if first == "absent" else {"type": first, "vm": vm}
        return {"type": "row", "message": message, "frame": text}
    if kind == "exited":
        code = int(second) if second.isdigit() else None
        name = second if second.startswith("SIG") else None
        return {"type": kind, "assignment_id": first, "code": code, "signal": name}
    return {"type": kind, "assignment_id": first}


def format_effect(effect):
    kind = effect["do"]
    if kind == "save":
        return " ".join(["save", *map(format_entry, effect["journal"]["entries"])])
    if kind == "launch":
        return f"launch {effect['vm']['assignment_id']}"
    if kind == "report":
        return f"report {format_entry(effect['entry'])}"
    if kind in ("print", "exit"):
        return f"{kind} {effect['line' if kind == 'print' else 'reason']}"
    return f"{kind} {effect['assignment_id']}" if "assignment_id" in effect else kind


def run_reducer_case(case):
    options = case["policy"]
    policy = agent.Policy(options["act"], options["rerunInterrupted"], options["failVmOnError"])
    journal = {"format": 1, "entries": list(map(parse_entry, case["journal"].split()))}
    state = agent.create_initial_state(journal, case.get("survivor"))
    steps = []
    for event, *_ in case["steps"]:
        state, effects = agent.reduce(policy, state, parse_event(event), NOW)
        steps.append([event, *map(format_effect, effects)])
    return steps


def run_state_file_case(case):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with open(path, "w", encoding="utf-8") as file:
            file.write(case["text"])
        try:
            agent.StateFile(path)
        except agent.AgentFileError:
            return False
        with open(path, encoding="utf-8") as file:
            return json.load(file) == json.loads(case["text"])


with open(sys.argv[1], encoding="utf-8") as file:
    cases = json.load(file)
results = {
    "reducer": list(map(run_reducer_case, cases["reducer"])),
    "stateFile": list(map(run_state_file_case, cases["stateFile"])),
}
print(json.dumps(results))
