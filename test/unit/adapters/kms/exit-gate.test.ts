import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { ExitGate } from '../../../../src/adapters/kms/pkcs11/exit-gate.ts'

const GATE = new URL('../../../../src/adapters/kms/pkcs11/exit-gate.ts', import.meta.url)

/** Calls through the gate for as long as `log[0]` is 0, counting in `log[1]`; `log[2]` is 1 within a call. */
const CALLER = `
  import { workerData, parentPort } from 'node:worker_threads'
  import { ExitGate } from ${JSON.stringify(GATE.href)}
  const log = new Int32Array(workerData.log)
  const gate = new ExitGate(workerData.gate)
  parentPort.postMessage('begun')
  while (Atomics.load(log, 0) === 0) {
    gate.pass(() => {
      Atomics.store(log, 2, 1)
      Atomics.add(log, 1, 1)
      for (const end = performance.now() + workerData.callMs; performance.now() < end; );
      Atomics.store(log, 2, 0)
    })
  }
`
const workers: Worker[] = []

afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.terminate())))

async function caller(callMs: number) {
  const log = new Int32Array(new SharedArrayBuffer(12))
  const gate = new ExitGate()
  const workerData = { log: log.buffer, gate: gate.memory, callMs }
  const script = new URL(`data:text/javascript,${encodeURIComponent(CALLER)}`)
  const worker = new Worker(script, { workerData })
  workers.push(worker)
  await once(worker, 'message')
  const calls = () => Atomics.load(log, 1)
  while (calls() === 0) await new Promise(setImmediate)
  return { gate, calls, isCalling: () => Atomics.load(log, 2) === 1 }
}

describe('the exit gate', () => {
  test('is shut only between calls, and lets none in afterwards', async () => {
    for (let round = 0; round < 10; round++) {
      const { gate, calls, isCalling } = await caller(1)
      gate.shut()
      expect(isCalling()).toBe(false)
      const before = calls()
      await new Promise((resolve) => setTimeout(resolve, 10))
      expect(calls()).toBe(before)
    }
  })

  test('waits no longer than is sensible for a call that is stuck', async () => {
    const { gate, isCalling } = await caller(60_000)
    gate.shut()
    expect(isCalling()).toBe(true)
  })

  test('may be shut before anything was called, and twice', () => {
    const gate = new ExitGate()
    gate.shut()
    gate.shut()
  })
})
