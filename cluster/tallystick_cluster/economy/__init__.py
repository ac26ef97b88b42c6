"""A day of a token economy on three nodes: `tallystick demo economy`.

| module | what |
|---|---|
| plan.py | who asks whom for which request, when, and how it is paid; a pure function |
| offers.py | which models of the public price books are sold, and what changes at noon |
| cast.py | registers everybody: providers, consumers, a bank, an auditor |
| day.py | a day compressed into seconds |
| tariffs.py | publishes the price books as cards; what applies when |
| stage.py | what all acts share, and what an act is |
| pacing.py | runs requests at their times of the day |
| requests.py | act: requests on priced holds, sized by what past ones came to |
| subsidies.py | act: a city's grants pay shares of what companies of one person ask for |
| metered.py | act: requests that are priced and paid in one step, also under a mandate |
| agents.py | act: agents' keys under one key with a limit a day; the kill switch |
| vouchers.py | act: requests on channels, paid by vouchers that are signed off the ledger |
| corrections.py | act: a refund, a dispute that is half accepted, one that is rejected |
| netting.py | act: providers set off what they owe each other, one cannot pay, only the net moves |
| books.py | the auditor reads every account's history and makes statements |
| audit.py, sums.py | what each charge should have been, computed anew; what has to add up |
| checks.py | something that was checked, and how it is told |
| figures.py, report.py | the outcome, for programs and for people |
| run.py, app.py | from an empty directory to the exit code |

Real are the requests, their sizes and times, the prices and their changes, and how unevenly the
consumers ask. Made up are the consumers, who asks whom, and that an hour of a trace is a day.
"""
