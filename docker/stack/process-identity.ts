import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * A process by number and start time. The number alone is not enough: the system hands it out
 * again, and a stop must never reach a stranger.
 */
export interface ProcessIdentity {
  readonly pid: number
  /** The start time in the system's own words; only ever compared for equality. */
  readonly startMark: string
}

/** The identity of the process that has this number now, or null when there is none. */
export async function identify(pid: number): Promise<ProcessIdentity | null> {
  const startMark = process.platform === 'linux' ? linuxMark(pid) : await psMark(pid)
  return startMark === null ? null : { pid, startMark }
}

/** True while exactly this process lives. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identify(identity.pid))?.startMark === identity.startMark
}

/** Memory held in RAM, in bytes, or null when the process is gone. */
export async function rssBytes(pid: number): Promise<number | null> {
  try {
    if (process.platform === 'linux') {
      const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      return kib === undefined ? null : Number(kib) * 1024
    }
    return Number((await run('ps', ['-o', 'rss=', '-p', String(pid)])).stdout.trim()) * 1024
  } catch {
    return null
  }
}

// Field 22 of /proc/<pid>/stat counts clock ticks since boot, so the boot is part of the mark.
// The name in field 2 may hold spaces and brackets: fields are counted behind its last bracket.
function linuxMark(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return null
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}:${fields[19]}`
  } catch {
    return null
  }
}

async function psMark(pid: number): Promise<string | null> {
  try {
    const { stdout } = await run('ps', ['-o', 'lstart=,state=', '-p', String(pid)])
    const [, started, state] = /^(.*\S)\s+(\S+)$/.exec(stdout.trim()) ?? []
    return started === undefined || state?.startsWith('Z') ? null : started
  } catch {
    return null
  }
}
