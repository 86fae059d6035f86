import { describe, expect, it } from 'vitest'
import { Room } from '../../../src/reader/room.ts'

describe('a room', () => {
  it('lets in what fits, the rest in the order of coming', async () => {
    const room = new Room(10)
    const entered: string[] = []
    const enter = async (name: string, amount: number) => {
      const release = await room.take(amount)
      entered.push(name)
      return release
    }
    const first = await enter('a', 6)
    const second = enter('b', 6)
    const third = enter('c', 1)
    await Promise.resolve()
    // c would fit, but b came before it: a large one must not wait for ever.
    expect(entered).toEqual(['a'])
    first()
    await Promise.all([second, third])
    expect(entered).toEqual(['a', 'b', 'c'])
  })

  it('lets in what is larger than all of it, alone', async () => {
    const room = new Room(10)
    const release = await room.take(50)
    let isIn = false
    const next = room.take(1).then((done) => {
      isIn = true
      return done
    })
    await new Promise(setImmediate)
    expect(isIn).toBe(false)
    release()
    ;(await next)()
  })

  it('forgets who gives up, and lets in those behind', async () => {
    const room = new Room(10)
    const release = await room.take(10)
    const giving = new AbortController()
    const given = room.take(10, giving.signal)
    const behind = room.take(2)
    giving.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    await expect(room.take(1, giving.signal)).rejects.toThrow('enough')
    release()
    ;(await behind)()
    ;(await room.take(10))()
  })
})
