"""The names of the server's commands. Their one argument: {"uri": …, "line"?: 1-based, "rule"?: …}."""

VERIFY = "gradsight.server.verify"
VERIFY_FIX = "gradsight.server.verifyFix"

CLIENT_COMMANDS = {VERIFY: "gradsight.verify", VERIFY_FIX: "gradsight.verifyFix"}
"""What they are called in a client that wraps them in commands of its own."""
