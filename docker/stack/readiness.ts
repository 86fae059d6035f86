import { connect } from 'node:net'
import { systemClock } from '../../src/clock.ts'
import { messageOf } from '../../src/errors.ts'
import type { Part, PartContext } from './part.ts'
import type { Runner } from './runner.ts'
import { StackError } from './stack-error.ts'

const READY_WITHIN_MS = 180_000
const POLL_MS = 100
const PROBE_WITHIN_MS = 10_000

/**
 * Waits until a part serves real requests, and furnishes it. Throws STACK_START_FAILED with the
 * tail of its log when it ends or stays silent for three minutes; gives up when `signal` aborts.
 */
export async function waitUntilReady(
  part: Part,
  context: PartContext,
  runner: Runner,
  signal: AbortSignal,
): Promise<void> {
  const endMs = systemClock.elapsedMs() + READY_WITHIN_MS
  let reason = 'its port does not answer'
  while (systemClock.elapsedMs() < endMs) {
    signal.throwIfAborted()
    if ((await runner.running(part, context)) === null) {
      throw await startFailure(part, context, runner, 'it ended')
    }
    // A plain connection first: clients retry, log and warn while nobody listens.
    if (await accepts(context.ports[part.name])) {
      try {
        await part.furnish(context)
        await part.probe(context)
        return
      } catch (error) {
        reason = messageOf(error)
      }
    }
    await systemClock.sleep(POLL_MS, signal)
  }
  throw await startFailure(part, context, runner, reason)
}

/** True when the part serves a real request now. */
export async function answers(part: Part, context: PartContext): Promise<boolean> {
  if (!(await accepts(context.ports[part.name]))) return false
  const giveUp = new AbortController()
  const late = systemClock.sleep(PROBE_WITHIN_MS, giveUp.signal).then(() => false)
  const probe = part.probe(context).then(
    () => true,
    () => false,
  )
  return Promise.race([probe, late]).finally(() => giveUp.abort())
}

async function startFailure(
  part: Part,
  context: PartContext,
  runner: Runner,
  reason: string,
): Promise<StackError> {
  const place = runner.logPlace(part, context)
  const tail = await runner.logTail(part, context)
  return new StackError(
    'STACK_START_FAILED',
    `${part.name} did not start: ${reason}; see ${place}`,
    tail,
  )
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
