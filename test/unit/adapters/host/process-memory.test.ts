import { describe, expect, it, vi } from 'vitest'
import { tuneMemory } from '../../../../src/adapters/host/process-memory.ts'

const MIB = 1024 * 1024
const BUFFER_BYTES = 8 * MIB

/** Makes, touches and frees so many buffers of the size of a part, all at once. */
function churn(count: number): void {
  const buffers = Array.from({ length: count }, () => Buffer.alloc(BUFFER_BYTES, 1))
  buffers.length = 0
}

describe('the memory of the process', () => {
  it('goes back to the system when large buffers are freed, time and again', async () => {
    const memory = await tuneMemory()
    expect(memory.untuned).toBe(null)
    churn(1)
    memory.giveBack()
    const before = memory.rssBytes()
    for (let round = 0; round < 3; round++) {
      churn(16)
      expect(memory.rssBytes()).toBeGreaterThan(before + 64 * MIB)
      memory.giveBack()
      // What was collected is freed by a thread of V8, which may be waiting for a core.
      await vi.waitFor(() => expect(memory.rssBytes()).toBeLessThan(before + 32 * MIB), 10_000)
    }
  })

  it('is told of without koffi too, and says that the allocator is left as it is', async () => {
    const memory = await tuneMemory(async () => {
      throw new Error('no koffi here')
    })
    expect(memory.untuned).toBe('no koffi here')
    expect(memory.rssBytes()).toBeGreaterThan(10 * MIB)
    memory.giveBack()
  })

  it('leaves no collector behind that other code could call', async () => {
    await tuneMemory()
    expect('gc' in globalThis).toBe(false)
  })
})
