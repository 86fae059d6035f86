import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatBytes,
  formatDurationMs,
  readBytes,
  readDurationMs,
} from '../../../src/config/quantity.ts'

describe('durations', () => {
  it.each([
    ['250ms', 250],
    ['10s', 10_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1.5s', 1500],
    [' 2 s ', 2000],
    [42, 42],
  ])('reads %s as %d ms', (written, durationMs) => {
    expect(readDurationMs(written)).toBe(durationMs)
  })

  it.each(['10', '1d', 's', '-1s', '1.0005s', '1 h 2 m', '', -1, 1.5, Number.NaN, Infinity])(
    'refuses %s',
    (written) => {
      expect(readDurationMs(written)).toHaveProperty('refused')
    },
  )

  it('reads back every duration that it wrote', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (durationMs) => {
        expect(readDurationMs(formatDurationMs(durationMs))).toBe(durationMs)
      }),
    )
  })
})

describe('sizes', () => {
  it.each([
    ['512B', 512],
    ['64KiB', 65_536],
    ['8MiB', 8_388_608],
    ['1GiB', 1_073_741_824],
    ['0.5KiB', 512],
    [77, 77],
  ])('reads %s as %d bytes', (written, bytes) => {
    expect(readBytes(written)).toBe(bytes)
  })

  it.each(['KB', 'MB', 'GB', 'kb'])('refuses decimal %s and names the binary unit', (unit) => {
    expect(readBytes(`8${unit}`)).toEqual({
      refused: expect.stringContaining(`write ${unit[0]?.toUpperCase()}iB`),
    })
  })

  it('reads back every size that it wrote', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        expect(readBytes(formatBytes(bytes))).toBe(bytes)
      }),
    )
  })
})
