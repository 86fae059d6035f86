import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withLock } from '../../../docker/stack/lock.ts'
import { identify } from '../../../docker/stack/process-identity.ts'
import { systemClock } from '../../../src/clock.ts'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealstream-lock-'))
  path = join(folder, 'a.lock')
})

afterEach(() => rmSync(folder, { recursive: true }))

describe('the lock of a stack', () => {
  it('lets one work at a time, and tells the other that it waits', async () => {
    const seen: string[] = []
    const work = (name: string) => async () => {
      seen.push(`${name} in`)
      await systemClock.sleep(30)
      seen.push(`${name} out`)
    }
    const first = withLock(path, 5_000, work('first'))
    await expect.poll(() => seen).toContain('first in')
    await withLock(path, 5_000, work('second'), () => seen.push('second waits'))
    await first
    expect(seen).toEqual(['first in', 'second waits', 'first out', 'second in', 'second out'])
    expect(existsSync(path)).toBe(false)
  })

  it('is taken over from a process that died, even when its number lives on', async () => {
    const living = await identify(process.pid)
    writeFileSync(path, JSON.stringify({ ...living, startMark: 'of somebody before' }))
    await expect(withLock(path, 0, async () => 'done')).resolves.toBe('done')
  })

  it('gives up on a living holder with its number in the message', async () => {
    writeFileSync(path, JSON.stringify(await identify(process.pid)))
    const late = withLock(path, 0, async () => 'done')
    await expect(late).rejects.toMatchObject({
      code: 'STACK_BUSY',
      message: expect.stringContaining(`process ${process.pid} holds`),
    })
    expect(existsSync(path)).toBe(true)
  })

  it('is let go when the work fails', async () => {
    const failing = withLock(path, 0, () => Promise.reject(new Error('no')))
    await expect(failing).rejects.toThrow('no')
    expect(existsSync(path)).toBe(false)
  })
})
