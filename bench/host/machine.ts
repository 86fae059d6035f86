import { execFileSync } from 'node:child_process'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** What a figure depends on beside the code. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly node: string
  readonly kernel: string
  /** Runnable processes, mean of the minute before the start. Above the cores: somebody else works here. */
  readonly loadAtStart: number
  /** Commit of this checkout; `+` behind it stands for changes. Null outside of one. */
  readonly commit: string | null
  readonly startedAt: string
}

/** The facts of this machine now. */
export function machineFacts(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
    kernel: release(),
    loadAtStart: loadavg()[0] ?? 0,
    commit: commit(),
    startedAt: new Date().toISOString(),
  }
}

function commit(): string | null {
  try {
    const options = { encoding: 'utf8' as const, stdio: 'pipe' as const }
    return execFileSync('git', ['describe', '--always', '--dirty=+', '--abbrev=12'], options).trim()
  } catch {
    return null
  }
}
