import { describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/clock.ts'
import { SealError } from '../../../src/errors.ts'
import { createHealth } from '../../../src/telemetry/health.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { TelemetryObserver } from '../../../src/telemetry/telemetry-observer.ts'
import { captureLogger } from './captured-logger.ts'

const AWAY = new SealError('SEAL_STORE_UNAVAILABLE', 'no answer', { retryable: true })
const TOO_LARGE = new SealError('SEAL_MESSAGE_UNSEALABLE', 'too large')

function setUp() {
  let elapsedMs = 0
  const clock: Clock = {
    nowMs: () => 0,
    elapsedMs: () => elapsedMs,
    sleep: async () => {},
    doze: async () => {},
  }
  const metrics = createMetrics()
  const health = createHealth()
  const { logger, lines } = captureLogger()
  const observer = new TelemetryObserver({ metrics, logger, health, clock })
  const pass = (durationMs: number) => {
    elapsedMs += durationMs
  }
  const value = async (line: string) => {
    const page = await metrics.registry.metrics()
    const found = page.split('\n').find((candidate) => candidate.startsWith(`${line} `))
    return found === undefined ? null : Number(found.slice(line.length + 1))
  }
  return { observer, health, lines, pass, value }
}

describe('the observer', () => {
  it('counts messages and bytes by topic', async () => {
    const { observer, value } = setUp()
    observer.packed('orders', 10, 1000)
    observer.packed('orders', 5, 500)
    observer.packed('users', 1, 7)
    expect(await value('sealstream_packed_messages_total{topic="orders"}')).toBe(15)
    expect(await value('sealstream_packed_bytes_total{topic="orders"}')).toBe(1500)
    expect(await value('sealstream_packed_messages_total{topic="users"}')).toBe(1)
  })

  it('gives memory as a share of its ceiling, and tells once that reading pauses, and goes on', async () => {
    const { observer, lines, value } = setUp()
    const tell = (rssBytes: number, isHeld: boolean) =>
      observer.memory({ rssBytes, bytesMax: 1000, isHeld })
    tell(500, false)
    expect(await value('sealstream_memory_share')).toBe(0.5)
    expect(await value('sealstream_memory_bytes_max')).toBe(1000)
    expect(lines()).toEqual([])
    tell(900, true)
    tell(950, true)
    expect(await value('sealstream_memory_held')).toBe(1)
    tell(800, false)
    expect(await value('sealstream_memory_held')).toBe(0)
    expect(lines()).toMatchObject([
      { rssBytes: 900, rssBytesMax: 1000, msg: 'memory is near its ceiling, reading pauses' },
      { rssBytes: 800, rssBytesMax: 1000, msg: 'memory has come down, reading goes on' },
    ])
  })

  it('counts sealed parts and gives their times in seconds', async () => {
    const { observer, value } = setUp()
    observer.partSealed('orders', 9, 900, { sealMs: 10, uploadMs: 200, mapMs: 3000 })
    expect(await value('sealstream_sealed_frames_total{topic="orders"}')).toBe(9)
    expect(await value('sealstream_sealed_bytes_total{topic="orders"}')).toBe(900)
    expect(await value('sealstream_part_duration_seconds_sum{step="seal"}')).toBe(0.01)
    expect(await value('sealstream_part_duration_seconds_sum{step="upload"}')).toBe(0.2)
    expect(await value('sealstream_part_duration_seconds_sum{step="map"}')).toBe(3)
  })

  it('tells how the keeping of keys fares, and of an outage once in a while', async () => {
    const { observer, lines, pass, value } = setUp()
    observer.keyEventsUnwritten(3)
    observer.keyEventsLost(2)
    observer.keyDeskRead()
    observer.keyRecordsFailed('key desk', AWAY)
    observer.keyRecordsFailed('key events', AWAY)
    observer.keyRecordsFailed('key desk', AWAY)
    expect(await value('sealstream_unwritten_key_events')).toBe(3)
    expect(await value('sealstream_lost_key_events_total')).toBe(2)
    expect(await value('sealstream_key_desk_read_timestamp_seconds')).toBe(0)
    expect(await value('sealstream_key_record_failures_total{what="key desk"}')).toBe(2)
    const failures = () => lines().filter(({ msg }) => /out of reach/.test(String(msg)))
    expect(failures().map(({ msg }) => msg)).toEqual([
      'key desk out of reach, tried again',
      'key events out of reach, tried again',
    ])
    pass(5_000)
    observer.keyRecordsFailed('key desk', AWAY)
    expect(failures().at(-1)).toMatchObject({ code: 'SEAL_STORE_UNAVAILABLE', reason: 'no answer' })
    expect(failures()).toHaveLength(3)
    observer.keysRotated('request-1', 'drill', 2)
    expect(lines().at(-1)).toMatchObject({ requestId: 'request-1', reason: 'drill', retired: 2 })
  })

  it('counts segments, references and data keys', async () => {
    const { observer, value, lines } = setUp()
    observer.segmentSealed('orders', 5000, 1500)
    observer.published(12, 2, 30, 1600)
    observer.dekCreated('orders', 'dek-1', 'kek-1')
    observer.kmsCall('generate', true, 20)
    observer.kmsCall('generate', false, 40)
    observer.inFlight(123)
    expect(await value('sealstream_sealed_segments_total{topic="orders"}')).toBe(1)
    expect(await value('sealstream_segment_bytes_sum')).toBe(5000)
    expect(await value('sealstream_segment_open_seconds_sum')).toBe(1.5)
    expect(await value('sealstream_published_references_total')).toBe(12)
    expect(await value('sealstream_published_segments_total')).toBe(2)
    expect(await value('sealstream_transaction_duration_seconds_sum')).toBe(0.03)
    expect(await value('sealstream_visible_delay_seconds_sum')).toBe(1.6)
    expect(await value('sealstream_deks_created_total')).toBe(1)
    const calls = 'sealstream_kms_calls_total{operation="generate"'
    expect(await value(`${calls},outcome="ok"}`)).toBe(1)
    expect(await value(`${calls},outcome="failed"}`)).toBe(1)
    expect(await value('sealstream_in_flight_bytes')).toBe(123)
    expect(lines()).toMatchObject([{ level: 'info', dekId: 'dek-1', kekId: 'kek-1' }])
  })

  it('logs a service that stays away once in 5 s, and its return', async () => {
    const { observer, lines, pass, value } = setUp()
    for (let attempt = 1; attempt <= 6; attempt++) {
      observer.waiting('s3', AWAY, attempt, 0)
      pass(1000)
    }
    expect(await value('sealstream_service_waiting{service="s3"}')).toBe(1)
    observer.waiting('kms', AWAY, 1, 0)
    observer.recovered('s3', 6000)
    observer.waiting('s3', AWAY, 1, 0)
    expect(lines().map((line) => `${line.level} ${line.msg}`)).toEqual([
      'warn waiting for s3',
      'warn waiting for s3',
      'warn waiting for kms',
      'info s3 answers again',
      'warn waiting for s3',
    ])
    expect(lines()[1]).toMatchObject({ attempt: 6, code: 'SEAL_STORE_UNAVAILABLE' })
    expect(await value('sealstream_service_failed_tries_total{service="s3"}')).toBe(7)
  })

  it('shows no wait once the service answers', async () => {
    const { observer, value } = setUp()
    observer.waiting('kafka', AWAY, 1, 0)
    observer.recovered('kafka', 10)
    expect(await value('sealstream_service_waiting{service="kafka"}')).toBe(0)
  })

  it('makes a stopped partition an error, a count and a reason', async () => {
    const { observer, lines, value, health } = setUp()
    observer.partitionStopped('orders', 2, 77, TOO_LARGE)
    expect(lines()).toMatchObject([
      {
        level: 'error',
        topic: 'orders',
        partition: 2,
        offset: 77,
        code: 'SEAL_MESSAGE_UNSEALABLE',
      },
    ])
    expect(await value('sealstream_partition_stops_total{topic="orders"}')).toBe(1)
    expect(await value('sealstream_stopped_partitions')).toBe(1)
    expect(health.stoppedPartitions).toBe(1)
    observer.assigned(4, 1)
    expect(await value('sealstream_stopped_partitions')).toBe(1)
  })

  it('logs and counts quarantined messages and lane resets', async () => {
    const { observer, lines, value } = setUp()
    observer.quarantined('orders', 0, 5, TOO_LARGE)
    observer.laneReset(1, 'fenced')
    observer.assigned(8, 2)
    expect(lines().map((line) => line.level)).toEqual(['warn', 'warn', 'info'])
    expect(await value('sealstream_quarantined_messages_total{topic="orders"}')).toBe(1)
    expect(await value('sealstream_lane_resets_total')).toBe(1)
    expect(await value('sealstream_assigned_partitions')).toBe(8)
    expect(await value('sealstream_assigned_lanes')).toBe(2)
  })

  it('drives readiness', () => {
    const { observer, health } = setUp()
    health.start()
    observer.assigned(1, 1)
    expect(health.readiness().status).toBe('ok')
    observer.waiting('s3', AWAY, 1, 0)
    expect(health.readiness().status).toBe('unavailable')
    observer.recovered('s3', 1)
    observer.partitionStopped('orders', 0, 1, TOO_LARGE)
    expect(health.readiness().status).toBe('degraded')
  })
})
