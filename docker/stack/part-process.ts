import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import type { ProcessIdentity } from './process-identity.ts'
import { identify, isAlive } from './process-identity.ts'
import { StackError } from './stack-error.ts'
import type { PartName } from './stack-model.ts'
import { withTimerSlack } from './timer-slack.ts'

const POLL_MS = 20
const KILLED_WITHIN_MS = 5_000

/** How to run one part: everything `spawn` needs. */
export interface LaunchPlan {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** How late its short sleeps may end, in nanoseconds; absent: as those of this process. */
  readonly timerSlackNs?: number
}

/** The process of one part, as kept on disk between two commands. */
export interface PartProcess extends ProcessIdentity {
  readonly startedAtMs: number
}

/** The file with everything the part printed. */
export function logPathOf(directory: string, part: PartName): string {
  return join(directory, 'logs', `${part}.log`)
}

/** The last lines of a part's log, for an error. The frames of Java stack traces are left out. */
export function logTail(directory: string, part: PartName, linesMax = 12): string[] {
  try {
    const lines = readFileSync(logPathOf(directory, part), 'utf8').trimEnd().split('\n')
    return lines.filter((line) => !/^\s+(at |\.\.\. \d+)/.test(line)).slice(-linesMax)
  } catch {
    return []
  }
}

/** The live process of a part, or null. A record of a dead process or of a reused number is null. */
export async function runningPart(directory: string, part: PartName): Promise<PartProcess | null> {
  const record = readRecord(directory, part)
  return record !== null && (await isAlive(record)) ? record : null
}

/**
 * Starts a part as the leader of its own process group, so that it outlives this process and is
 * ended together with its children. Its output goes to the part's log, which begins anew.
 */
export async function launchPart(
  directory: string,
  part: PartName,
  plan: LaunchPlan,
): Promise<PartProcess> {
  mkdirSync(join(directory, 'logs'), { recursive: true })
  mkdirSync(join(directory, 'run'), { recursive: true })
  const log = openSync(logPathOf(directory, part), 'w')
  const start = () =>
    spawn(plan.command, plan.args, {
      cwd: plan.cwd,
      env: { ...process.env, ...plan.env },
      detached: true,
      stdio: ['ignore', log, log],
    })
  const { timerSlackNs } = plan
  const child = timerSlackNs === undefined ? start() : await withTimerSlack(timerSlackNs, start)
  closeSync(log)
  const failure = await new Promise<Error | null>((resolve) => {
    child.once('spawn', () => resolve(null))
    child.once('error', resolve)
  })
  child.unref()
  const identity = child.pid === undefined ? null : await identify(child.pid)
  if (failure !== null || identity === null) {
    const reason = failure?.message ?? 'it ended at once'
    throw new StackError(
      'STACK_START_FAILED',
      `${part} did not start: ${reason}`,
      logTail(directory, part),
    )
  }
  const record: PartProcess = { ...identity, startedAtMs: Date.now() }
  writeFileSync(recordPath(directory, part), JSON.stringify(record))
  return record
}

/**
 * Ends a part and its process group: SIGTERM, and SIGKILL once the part is gone or `graceMs` are
 * over. Does nothing when the part is not running. Resolves with true when it ended something.
 */
export async function endPart(
  directory: string,
  part: PartName,
  graceMs: number,
): Promise<boolean> {
  const record = await runningPart(directory, part)
  if (record !== null) {
    signalGroup(record.pid, 'SIGTERM')
    await waitForEnd(record, graceMs)
    // What the leader left behind shares its group; the number stays reserved while anyone does.
    signalGroup(record.pid, 'SIGKILL')
    await waitForEnd(record, KILLED_WITHIN_MS)
  }
  rmSync(recordPath(directory, part), { force: true })
  return record !== null
}

async function waitForEnd(record: ProcessIdentity, boundMs: number): Promise<void> {
  const endMs = systemClock.elapsedMs() + boundMs
  while (systemClock.elapsedMs() < endMs && (await isAlive(record))) {
    await systemClock.sleep(POLL_MS)
  }
}

function signalGroup(leaderPid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leaderPid, signal)
  } catch {
    // Nobody is left in the group.
  }
}

function recordPath(directory: string, part: PartName): string {
  return join(directory, 'run', `${part}.json`)
}

function readRecord(directory: string, part: PartName): PartProcess | null {
  try {
    return JSON.parse(readFileSync(recordPath(directory, part), 'utf8')) as PartProcess
  } catch {
    return null
  }
}
