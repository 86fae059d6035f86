import { randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import type { ProcessIdentity } from './process-identity.ts'
import { identify, isAlive } from './process-identity.ts'
import { StackError } from './stack-error.ts'

const POLL_MS = 100

/**
 * Runs `work` while no other process holds the same lock file. A lock whose holder died is taken
 * over. `onWait` is called once, when there is somebody to wait for.
 * Throws STACK_BUSY when a living holder keeps it longer than `waitMs`.
 */
export async function withLock<T>(
  path: string,
  waitMs: number,
  work: () => Promise<T>,
  onWait: () => void = () => {},
): Promise<T> {
  mkdirSync(dirname(path), { recursive: true })
  const mine = JSON.stringify(await identify(process.pid))
  let isWaiting = false
  const endMs = systemClock.elapsedMs() + waitMs
  while (!tryCreate(path, mine)) {
    const holder = readHolder(path)
    if (holder !== null && !(await isAlive(holder))) {
      rmSync(path, { force: true })
    } else if (systemClock.elapsedMs() > endMs) {
      const who = holder === null ? 'another process' : `process ${holder.pid}`
      throw new StackError('STACK_BUSY', `${who} holds ${path}: let it finish, or end it`)
    } else {
      if (!isWaiting) onWait()
      isWaiting = true
      await systemClock.sleep(POLL_MS)
    }
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

// Written beside and linked into place: a lock that exists always says who holds it.
function tryCreate(path: string, content: string): boolean {
  const draft = `${path}.${randomUUID()}`
  writeFileSync(draft, content)
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

// null when the holder has just let go.
function readHolder(path: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity
  } catch {
    return null
  }
}
