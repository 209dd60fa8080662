"""What goes wrong and when: a plan from a seed, the same for the same seed and length."""
import collections
import random

# `track`: faults of one track follow one another, those of different tracks overlap. `value` is the fault's own.
Fault = collections.namedtuple("Fault", "at track name lasts value")

# track: (shortest, longest gap between faults in s, {fault: (how often, shortest, longest time in s, value)})
TRACKS = {
    "agent": ((0.3, 4), {
        "kill": (12, 0, 1.5, None),
        "kill, catalog removed": (2, 0, 1.5, None),
        "power cut": (3, 0, 1.5, None),
        "stop": (1, 0, 1.5, None),
        "freeze": (2, 0.5, 14, None),
    }),
    "broker": ((4, 15), {
        "kill": (4, 0, 8, (1, 3)),
        "stop": (2, 0, 4, (1, 3)),
        "freeze": (3, 0.5, 12, (1, 3)),
        "kill all": (1, 0.5, 6, None),
    }),
    "link": ((1, 8), {
        "down": (3, 0.2, 8, None),
        "connections cut": (4, 0, 0, None),
        "answers lost": (4, 0.2, 4, None),
        "stalled": (2, 1, 15, None),
        "slow": (2, 4, 15, (10_000, 200_000)),
        "late": (1, 4, 15, (20, 400)),
    }),
    "disk": ((15, 40), {"full": (1, 2, 8, None)}),
    "clock": ((10, 30), {"moved": (1, 0, 0, (-3000, 3000))}),
}


def plan(seed, seconds, tracks=None):
    faults = []
    for track in tracks or TRACKS:
        gap, kinds = TRACKS[track]
        chance = random.Random(f"{seed} {track}")
        at = 2 + chance.uniform(*gap)
        while at < seconds:
            name = chance.choices(list(kinds), [kind[0] for kind in kinds.values()])[0]
            _, shortest, longest, values = kinds[name]
            lasts, value = chance.uniform(shortest, longest), chance.randint(*values) if values else None
            faults.append(Fault(round(at, 2), track, name, round(min(lasts, seconds - at), 2), value))
            at += lasts + chance.uniform(*gap)
    return sorted(faults)


class Faults:
    """Begins and ends them. `gateway` has the agent, its disk and its clock; `cluster` the brokers and the link."""

    def __init__(self, gateway, cluster):
        self.gateway, self.cluster = gateway, cluster
        self.counts = collections.Counter()

    def begin(self, fault):
        """Returns what ends it."""
        self.counts[f"{fault.track}: {fault.name}"] += 1
        return getattr(self, f"_{fault.track}")(fault)

    def _agent(self, fault):
        gateway = self.gateway
        if fault.name == "freeze":
            gateway.freeze()
            return gateway.thaw
        if fault.name == "stop":
            gateway.stop()
        elif fault.name == "power cut":
            gateway.cut_power()
        else:
            gateway.kill()
        if fault.name == "kill, catalog removed":
            gateway.remove_catalog()
        return gateway.start

    def _broker(self, fault):
        nodes = self.cluster.nodes if fault.name == "kill all" else [self.cluster.nodes[fault.value - 1]]
        for node in nodes:
            {"kill": node.kill, "kill all": node.kill, "stop": node.stop, "freeze": node.pause}[fault.name]()
        if fault.name == "freeze":
            return nodes[0].resume
        return lambda: [node.start(wait=False) for node in nodes]

    def _link(self, fault):
        proxy = self.cluster.proxy
        if fault.name == "connections cut":
            proxy.cut()
        else:
            proxy.set(**{"down": {"up": False}, "answers lost": {"deaf": True}, "stalled": {"stalled": True},
                         "slow": {"rate": fault.value}, "late": {"delay_ms": fault.value, "jitter_ms": fault.value}}[fault.name])

        def end():
            if fault.name == "answers lost":
                proxy.cut()  # while they are still held: what was asked has been done, and nobody will know
            proxy.heal()
        return end

    def _disk(self, _):
        self.gateway.fill_disk()
        return self.gateway.empty_disk

    def _clock(self, fault):
        self.gateway.move_clock(fault.value)
        return lambda: None
