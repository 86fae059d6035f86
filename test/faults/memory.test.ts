import { expect, test } from 'vitest'
import { sealUnderStalls } from '../support/memory-under-stall.ts'

const MIB = 1024 * 1024
const STALL_MS = 120_000

test('memory stays under its ceiling though the object store and then the mapping store stand still for two minutes', async () => {
  const inFlightBytesMax = 128 * MIB
  const findings = await sealUnderStalls({
    ...{ messages: 400_000, valueBytes: 1024, inFlightBytesMax, config: {} },
    stalls: [
      ['s3', STALL_MS],
      ['cassandra', STALL_MS],
    ],
  })
  expect(findings.rssBytesMost).toBeLessThan(findings.rssBytesMax)
  expect(findings.inFlightBytesMost).toBeLessThanOrEqual(inFlightBytesMax)
}, 900_000)
