"""Ways to log in, one a module. Each has the same few names, and imports its package only where it is used.

`changes(wire)` returns settings beside those of site.py; `wire` is the address to call, or empty.
`people(numbers)` makes users with these numbers (E.164), `stored(rows)` what years of logins leave behind.
`log_in(browser, number, wire)` walks from the first page to the home page, and `first(browser)` opens the first.
`forget()` empties what only a benchmark keeps, such as an outbox.
"""
