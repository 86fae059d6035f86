import { expect, test } from 'vitest'
import { sealUnderStalls } from '../support/memory-under-stall.ts'

const MIB = 1024 * 1024

// A slice of test/faults/memory.test.ts: a backlog of four times the budget, in large messages that come in within a
// second. Without the budget all of it would be in flight.
test('memory stays under its ceiling while the object store stands still at full load', async () => {
  const inFlightBytesMax = 24 * MIB
  const findings = await sealUnderStalls({
    ...{ messages: 1_600, valueBytes: 64 * 1024, inFlightBytesMax },
    config: {
      'kafka.fetchBytesMax': '4MiB',
      'kafka.fetchBytesPerPartitionMax': '1MiB',
      'workers.threads': 1,
      // It has memory of its own, and nothing to do here.
      'reencryption.enabled': false,
    },
    stalls: [['s3', 5_000]],
  })
  expect(findings.rssBytesMax).toBeLessThan(512 * MIB)
  expect(findings.rssBytesMost).toBeLessThan(findings.rssBytesMax)
  expect(findings.inFlightBytesMost).toBeLessThanOrEqual(inFlightBytesMax)
}, 300_000)
