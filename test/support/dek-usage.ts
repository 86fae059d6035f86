import { connectCassandra } from '../../src/adapters/cassandra/connection.ts'
import { CassandraMappingReader } from '../../src/adapters/cassandra/mapping-reader.ts'
import type { DekEntry } from '../../src/mapping/mapping-store.ts'
import type { SealingPlace } from './sealing-place.ts'

/** A DEK and what the mapping says was sealed under it. */
export interface DekUsage extends DekEntry {
  /** Messages of complete segments. */
  readonly messages: number
  /** When its segments were opened, oldest first. */
  readonly openedAtMs: readonly number[]
}

/** Every DEK of the place's keyspace that was wrapped under the KEK, oldest first. */
export async function dekUsage(
  place: SealingPlace,
  kekId = place.stack.kms.keyId,
): Promise<DekUsage[]> {
  const { contactPoints, localDatacenter } = place.stack.cassandra
  const { keyspace } = place
  const connection = await connectCassandra({
    ...{ contactPoints, localDatacenter, keyspace, requestTimeoutMs: 10_000 },
  })
  try {
    const reader = new CassandraMappingReader(connection)
    const deks: DekUsage[] = []
    for await (const dek of reader.deksOfKek(kekId)) {
      let messages = 0
      const openedAtMs: number[] = []
      for await (const segment of reader.segmentsOfDek(dek.dekId)) {
        messages += segment.messageCount ?? 0
        openedAtMs.push(segment.createdAtMs)
      }
      deks.push({ ...dek, messages, openedAtMs: openedAtMs.toSorted((a, b) => a - b) })
    }
    return deks
  } finally {
    await connection.close()
  }
}
