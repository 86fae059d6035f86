import { expect, test } from 'vitest'
import { InFlight } from '../../../../src/adapters/cassandra/in-flight.ts'

test('no more tasks run at once than the limit, and all of them run in order', async () => {
  const inFlight = new InFlight(3)
  const started: number[] = []
  let running = 0
  let most = 0
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      inFlight.run(async () => {
        started.push(i)
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
      }),
    ),
  )
  expect(most).toBe(3)
  expect(started).toEqual(Array.from({ length: 20 }, (_, i) => i))
})

test('a task that fails gives its place on', async () => {
  const inFlight = new InFlight(1)
  const failing = inFlight.run(() => Promise.reject(new Error('no')))
  const next = inFlight.run(async () => 'done')
  await expect(failing).rejects.toThrow('no')
  expect(await next).toBe('done')
})
