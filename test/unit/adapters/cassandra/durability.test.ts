import type { types } from 'cassandra-driver'
import { describe, expect, it } from 'vitest'
import { durabilityOf, durabilityRisk } from '../../../../src/adapters/cassandra/durability.ts'
import { SealError } from '../../../../src/errors.ts'

const place = { keyspace: 'sealstream', localDatacenter: 'dc1' }

/** A node that answers with these columns, or fails. */
function nodeOf(settings: object | Error, keyspace: object | Error) {
  const execute = async (query: string) => {
    const answer = query.includes('settings') ? settings : keyspace
    if (answer instanceof Error) throw answer
    return { rows: [answer] } as unknown as types.ResultSet
  }
  return { execute }
}

describe('what an acknowledgement of Cassandra is worth', () => {
  it.each([
    [{ dc1: '2', dc2: '3' }, 2],
    [{ replication_factor: '1' }, 1],
    [{ dc2: '3' }, null],
  ])('counts the copies of %j in the local datacenter', async (replication, copies) => {
    const node = nodeOf({ value: 'periodic' }, { replication })
    expect(await durabilityOf(node, place)).toEqual({ commitlogSync: 'periodic', copies })
  })

  it('is not told by a store without these tables', async () => {
    const refused = new SealError('SEAL_MAPPING_REFUSED', 'no such table')
    const unknown = { commitlogSync: null, copies: null }
    expect(await durabilityOf(nodeOf(refused, refused), place)).toEqual(unknown)
    expect(durabilityRisk(unknown)).toBe(null)
  })

  it('is asked again when the node does not answer', async () => {
    const away = new SealError('SEAL_MAPPING_UNAVAILABLE', 'away', { retryable: true })
    await expect(durabilityOf(nodeOf(away, away), place)).rejects.toBe(away)
  })

  it.each([
    ['periodic', 1, /one copy.*commitlog_sync: batch/],
    ['periodic', 2, /2 copies/],
  ])('is little with %s and %i copies', (commitlogSync, copies, words) => {
    expect(durabilityRisk({ commitlogSync, copies })).toMatch(words)
  })

  it.each([
    ['periodic', 3],
    ['batch', 1],
    ['group', 1],
  ])('is enough with %s and %i copies', (commitlogSync, copies) => {
    expect(durabilityRisk({ commitlogSync, copies })).toBe(null)
  })
})
