"""The names of the server's commands. Their one argument: {"uri": …, "line"?: 1-based, "rule"?: …}."""

VERIFY = "gradsight.server.verify"
VERIFY_FIX = "gradsight.server.verifyFix"
