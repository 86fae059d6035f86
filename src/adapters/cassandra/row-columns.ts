import type { types } from 'cassandra-driver'
import type { FrameColumns } from '../../mapping/mapping-store.ts'

/** Rows of message_encryption_map, in their order, as columns. */
export function frameColumns(rows: readonly types.Row[]): FrameColumns {
  const columns = {
    sources: [] as { topic: string; partition: number }[],
    source: new Uint16Array(rows.length),
    offset: new Float64Array(rows.length),
    position: new Float64Array(rows.length),
    length: new Uint32Array(rows.length),
  }
  let count = 0
  let last: { topic: string; partition: number } | undefined
  for (const { topic, partition, offset, position, length } of rows) {
    // A segment whose rows are still to come has one row of static columns alone.
    if (topic === null) continue
    // Rows come sorted, so that those of a source stand together.
    if (last?.partition !== partition || last?.topic !== topic) {
      last = { topic, partition }
      columns.sources.push(last)
    }
    columns.source[count] = columns.sources.length - 1
    columns.offset[count] = (offset as types.Long).toNumber()
    columns.position[count] = (position as types.Long).toNumber()
    columns.length[count] = length
    count++
  }
  return { count, ...columns }
}
