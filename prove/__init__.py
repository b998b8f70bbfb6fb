"""`make prove`: the promises of docs/reliability.md, run again as numbers.

Each part is a module that runs in a process of its own and writes what it covered and what failed
(`prove.setting.Result`). Nothing is sampled silently: what did not run is in the total.
"""
