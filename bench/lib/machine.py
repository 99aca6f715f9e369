"""What the kernel says of processes, and of the machine."""

import datetime
import os
import pathlib
import platform


def cpu_seconds(process):
    """On a CPU so far, all threads of all processes of it, to the nanosecond."""
    total = 0
    for pid in process.tree():
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def resident_bytes(process):
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in process.tree())


def descriptors(process):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in process.tree())


def today():
    return datetime.date.today().isoformat()


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    release = dict(line.strip().split("=", 1) for line in open("/etc/os-release") if "=" in line)
    kernel = ".".join(platform.release().split(".")[:2])
    virtual = " virtual machine" if "hypervisor" in open("/proc/cpuinfo").read() else " machine"
    return (f"{os.cpu_count()}-core{virtual}, {model.replace(' Processor', '')}, Linux {kernel}, "
            f"Debian {release['VERSION_ID'].strip(chr(34))}")
