import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cpuMicrosPerMessage, cpuSecondsOf } from '../../examples/demo/cpu-time.ts'
import { systemClock } from '../../src/clock.ts'
import { benchEnd } from '../bench-end.ts'
import type { BenchStack } from '../bench-stack.ts'
import { type ArmNews, type ArmOrder, ORDER_VARIABLE } from './arm-program.ts'
import type { PeerFigures } from './peer-row.ts'

const POLL_MS = 50
const STALLED_MS = 60_000

/**
 * Runs the program of an arm until it has dealt with all messages. As with the road, the clock starts at
 * the last look before the first message.
 */
export async function runArm(
  stack: BenchStack,
  program: string,
  order: Omit<ArmOrder, 'stack'>,
): Promise<PeerFigures> {
  const path = fileURLToPath(new URL(program, import.meta.url))
  const { defer: _, ...endpoints } = stack
  const child = spawn(process.execPath, [path], {
    detached: true,
    env: { ...process.env, [ORDER_VARIABLE]: JSON.stringify({ ...order, stack: endpoints }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const pid = child.pid ?? 0
  const exited = once(child, 'exit')
  const end = async () => {
    child.kill('SIGKILL')
    await exited
  }
  stack.defer(end)
  let messages = 0
  createInterface(child.stdout).on('line', (line) => {
    messages = (JSON.parse(line) as ArmNews).messages
  })
  const mark = () => ({
    atMs: performance.now(),
    cpu: cpuSecondsOf({ peer: pid, ...stack.processes }),
  })
  let begin = mark()
  let moved = { messages: 0, atMs: begin.atMs }
  try {
    while (messages < order.messages) {
      if (child.exitCode !== null) throw new Error(`${order.arm} ended at ${messages} messages`)
      const now = mark()
      if (messages === 0) begin = now
      if (messages > moved.messages) moved = { messages, atMs: now.atMs }
      if (now.atMs - moved.atMs > STALLED_MS) throw new Error(`${order.arm} stands still`)
      await systemClock.sleep(POLL_MS, benchEnd())
    }
    const { atMs, cpu } = mark()
    const seconds = (atMs - begin.atMs) / 1000
    return {
      messages,
      perSecond: messages / seconds,
      cpuMicros: cpuMicrosPerMessage(begin.cpu, cpu, messages) ?? {},
    }
  } finally {
    await end()
  }
}
