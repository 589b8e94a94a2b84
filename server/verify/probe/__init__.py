"""What runs in the user's interpreter: standard library and the user's own torch (Python >= 3.9, torch >= 2.0).

Nothing here imports the rest of the project. `main.py` is started by path; `bundle` in the parent room turns these
files into one program text for machines that are reached through a launcher. A run: `main` reads the plan from
standard input and takes the result pipe (`wire`), limits itself (`limits`), decides the device (`place`, `simulate`),
rewrites the text (`rewrite`), runs it as `__main__` (`session`), watches tensors and `backward` (`watch`, `tensors`),
and, for a function that nobody calls, makes up a call (`harness`).
"""
