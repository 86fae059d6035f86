import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts CPU time in ticks of 1/100 s for every program, whatever the kernel's own rate. */
const TICK_SECONDS = 0.01

/** CPU seconds since their start, by component. */
export type CpuSeconds = Readonly<Record<string, number>>

/**
 * CPU seconds of process groups, by the name given to each leader. Null where there is no /proc.
 * A group and not a process, because a server may do its work in children.
 */
export function cpuSecondsOf(leaders: Readonly<Record<string, number>>): CpuSeconds | null {
  const sums = new Map<number, number>(Object.values(leaders).map((pid) => [pid, 0]))
  let names: string[]
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return null
  }
  for (const name of names) {
    const fields = statFields(name)
    if (fields === null) continue
    const group = Number(fields[2])
    const sum = sums.get(group)
    if (sum === undefined) continue
    sums.set(group, sum + (Number(fields[11]) + Number(fields[12])) * TICK_SECONDS)
  }
  return Object.fromEntries(
    Object.entries(leaders).map(([name, pid]) => [name, sums.get(pid) ?? 0]),
  )
}

/** CPU microseconds a message, by component, between two samples. */
export function cpuMicrosPerMessage(
  begin: CpuSeconds | null,
  end: CpuSeconds | null,
  messages: number,
): CpuSeconds | null {
  if (begin === null || end === null || messages === 0) return null
  return Object.fromEntries(
    Object.entries(end).map(([name, seconds]) => [
      name,
      ((seconds - (begin[name] ?? 0)) * 1e6) / messages,
    ]),
  )
}

/** The fields behind the name, which may itself hold spaces and brackets. */
function statFields(pid: string): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}
