import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { withRecentCoordinators } from '../../../../src/adapters/kafka/recent-coordinators.ts'

const GROUP = 0
const TRANSACTION = 1

class Cluster {
  asked: string[] = []
  failures: Error[] = []
  find(wanted: { groupId: string; coordinatorType: number }): Promise<number> {
    this.asked.push(`${wanted.coordinatorType} ${wanted.groupId}`)
    const failure = this.failures.shift()
    return failure === undefined ? Promise.resolve(this.asked.length) : Promise.reject(failure)
  }
}
Cluster.prototype.find = withRecentCoordinators(Cluster.prototype.find)

let cluster: Cluster

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'Date'] })
  cluster = new Cluster()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the coordinator', () => {
  it('is asked for once in half a second, for each name and kind, in each cluster', async () => {
    const group = { groupId: 'a', coordinatorType: GROUP }
    expect([await cluster.find(group), await cluster.find(group)]).toEqual([1, 1])
    await cluster.find({ ...group, coordinatorType: TRANSACTION })
    await cluster.find({ ...group, groupId: 'b' })
    await new Cluster().find(group)
    expect(cluster.asked).toEqual(['0 a', '1 a', '0 b'])
    vi.advanceTimersByTime(499)
    expect(await cluster.find(group)).toBe(1)
    vi.advanceTimersByTime(1)
    expect(await cluster.find(group)).toBe(4)
  })

  it('is asked for again when nobody could tell', async () => {
    const group = { groupId: 'a', coordinatorType: GROUP }
    cluster.failures.push(new Error('not now'))
    await expect(cluster.find(group)).rejects.toThrow('not now')
    expect(await cluster.find(group)).toBe(2)
  })
})
