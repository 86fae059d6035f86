import { randomUUID } from 'node:crypto'
import { hostname, userInfo } from 'node:os'

/**
 * A new name for this process, e.g. `host-1/4711/3f9a2c1b`. Host and process number alone repeat:
 * a container that restarts keeps both.
 */
export function newInstanceId(): string {
  return `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`
}

/** How an encryptor signs key events. */
export function actorOfInstance(instanceId: string): string {
  return `encryptor ${instanceId}`
}

/** How the person at this terminal signs, e.g. `alice@ops-7`: as the system knows them, unproven. */
export function actorOfOperator(): string {
  return `${userName()}@${hostname()}`
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // The user of a container need not be on any list.
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}
