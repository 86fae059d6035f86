import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts CPU time in ticks of 1/100 s for every program, whatever the kernel's own rate. */
const TICK_SECONDS = 0.01

/** CPU seconds of the threads of a process since their start, by name; those of one name are added. */
export function cpuSecondsByThread(pid: number): ReadonlyMap<string, number> {
  const seconds = new Map<string, number>()
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const stat = statOf(pid, id)
    if (stat === null) continue
    // The name stands in brackets and may itself hold some.
    const end = stat.lastIndexOf(')')
    const name = stat.slice(stat.indexOf('(') + 1, end)
    const fields = stat.slice(end + 2).split(' ')
    const ticks = Number(fields[11]) + Number(fields[12])
    seconds.set(name, (seconds.get(name) ?? 0) + ticks * TICK_SECONDS)
  }
  return seconds
}

/** The most memory that a process has held in RAM, in bytes; null when it is gone. */
export function rssBytesMaxOf(pid: number): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  } catch {
    return null
  }
}

/** A thread may end between the list and the look. */
function statOf(pid: number, id: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/task/${id}/stat`, 'utf8')
  } catch {
    return null
  }
}
