import { describe, expect, it } from 'vitest'
import { MessageHandOver } from '../../../../src/adapters/kafka/message-hand-over.ts'
import { systemClock } from '../../../../src/clock.ts'

const beat = async () => {}

describe('a hand-over', () => {
  it('lets a giver go on when its item is done with, in the order of giving', async () => {
    const handOver = new MessageHandOver<number>(systemClock)
    const log: string[] = []
    const put = (item: number) => handOver.put(item, beat).then(() => log.push(`gave ${item}`))
    const giving = [put(1), put(2)]
    for (const expected of [1, 2]) {
      const taken = await handOver.take()
      expect(taken?.item).toBe(expected)
      log.push(`took ${expected}`)
      taken?.done()
      await giving[expected - 1]
    }
    expect(log).toEqual(['took 1', 'gave 1', 'took 2', 'gave 2'])
  })

  it('refuses what was taken and not done with, what waits and what comes later, when it ends', async () => {
    const handOver = new MessageHandOver<number>(systemClock)
    const giving = [1, 2].map((item) => handOver.put(item, beat))
    const refused = Promise.allSettled(giving)
    await handOver.take()
    handOver.end()
    expect((await refused).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await expect(handOver.put(3, beat)).rejects.toMatchObject({ code: 'SEAL_STOPPED' })
    expect(await handOver.take()).toBeNull()
  })

  it('tells whoever waits why nothing comes any more', async () => {
    const handOver = new MessageHandOver<number>(systemClock)
    const taking = handOver.take()
    handOver.fail(new Error('crashed'))
    await expect(taking).rejects.toThrow('crashed')
  })

  it('gives the heart of a giver to beat', async () => {
    const handOver = new MessageHandOver<number>(systemClock)
    const lost = handOver.put(1, async () => {
      throw new Error('rebalancing')
    })
    await expect(lost).rejects.toThrow('rebalancing')
  })
})
