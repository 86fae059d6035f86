import { describe } from 'vitest'
import type { Message } from '../../../src/format/message.ts'
import type { Place } from '../../../src/verify/ports.ts'
import { recordLogContract } from '../../contracts/record-log.contract.ts'
import { MemoryRecordLog } from '../../support/memory-record-log.ts'
import { content } from '../../support/sealed-world.ts'

const log = new MemoryRecordLog()
let topics = 0

async function append(at: Place, count: number): Promise<Message[]> {
  return Array.from({ length: count }, (_, i) => {
    const made = content(`${i}`)
    return { ...at, offset: log.append(at, made), ...made }
  })
}

describe('the record log in memory', () => {
  recordLogContract(() => ({
    log,
    append,
    async createTopic({ isCompacted } = { isCompacted: false }) {
      const topic = `topic-${++topics}`
      log.createTopic(topic, 2, isCompacted)
      return topic
    },
    async transact(at, count, end) {
      if (end !== 'commit') {
        for (let i = 0; i < count; i++) log.appendOther(at, end === 'open' ? 'open' : 'marker')
      }
      const messages = end === 'commit' ? await append(at, count) : []
      if (end !== 'open') log.appendOther(at, 'marker')
      return messages
    },
    deleteBefore: async (at, offset) => log.deleteBefore(at, offset),
    commit: async (at, offset) => log.commit(at, offset),
  }))
})
