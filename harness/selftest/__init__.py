"""Proof that nothing is left behind, on this machine: kills everybody at every step of every fault.

scratch     the small system that is shot at      steps    who stands at which step, held there
family      the processes of one run              victims  who is killed, and how
shot        one run, one step, one victim         cells    which shots there are to take
campaign    many shots at once                    results  what they came to
"""
