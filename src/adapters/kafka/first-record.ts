import type { TopicPartition } from '../../pipeline/message-source.ts'
import { committedRecords, offsetBehind } from './committed-records.ts'
import { unreadableError } from './fetched-records.ts'
import type { KafkaOptions } from './kafka-client.ts'
import { PlainFetcher } from './plain-fetcher.ts'

const FETCH_BYTES = 1024 * 1024

/**
 * Whether a partition holds a record between `from` and `end` that was not aborted; reads up to the
 * first one. A transaction that is still open counts for none.
 */
export async function holdsRecord(
  options: KafkaOptions,
  at: TopicPartition,
  from: number,
  end: number,
): Promise<boolean> {
  const fetcher = new PlainFetcher(options)
  try {
    await fetcher.connect()
    for (let next = from; next < end; ) {
      const { batches, failure, aborted } = await fetcher.fetch(at, next, FETCH_BYTES)
      for (const { offset } of committedRecords(batches, aborted)) if (offset >= next) return true
      const behind = offsetBehind(batches) ?? next
      if (behind <= next && failure !== null) throw unreadableError(at, failure)
      if (behind <= next) return false
      next = behind
    }
    return false
  } finally {
    await fetcher.close()
  }
}
