import { describe, expect, test } from 'vitest'
import { escapeHtml } from '../../../bench/report/escape.ts'
import { renderReport } from '../../../bench/report/html-report.ts'
import { compare, worseOf } from '../../../bench/results/compare.ts'
import { numberText } from '../../../bench/results/number-text.ts'
import {
  baselineOf,
  cpuFigure,
  type Figure,
  type ResultFile,
  wallFigure,
} from '../../../bench/results/result-file.ts'

const MACHINE = {
  ...{
    cpu: 'a <b> & "c"',
    cores: 2,
    memoryBytes: 2 ** 30,
    node: 'v24',
    kernel: '6',
    loadAtStart: 0.5,
  },
  ...{ commit: 'abc', startedAt: '2026-01-01T00:00:00.000Z' },
}

function fileOf(...figures: Figure[]): ResultFile {
  return { format: 1, mode: 'quick', machine: MACHINE, figures }
}

const BEFORE = [10, 10.1, 10.2, 10.3, 10.4]
const times = (factor: number) => BEFORE.map((value) => value * factor)

describe('a comparison', () => {
  const verdict = (after: readonly number[]) =>
    compare(fileOf(cpuFigure('a', BEFORE)), fileOf(cpuFigure('a', after)))[0]?.verdict

  test('calls worse what is dearer by more than chance and more than a twentieth', () => {
    expect(verdict(times(1.2))).toBe('worse')
    expect(verdict(times(0.8))).toBe('better')
    expect(verdict(times(1.045))).toBe('same')
  })

  test('calls unclear what a few repeats cannot tell', () => {
    expect(verdict([9, 9, 12, 12, 12])).toBe('unclear')
    expect(verdict([20])).toBe('unclear')
  })

  test('knows that more messages a second are better', () => {
    const of = (values: readonly number[]) => fileOf(wallFigure('r', values, 'msg/s', 'higher'))
    expect(compare(of(BEFORE), of(times(1.2)))[0]?.verdict).toBe('better')
    const slower = compare(of(BEFORE), of(times(0.8)))
    expect(slower[0]?.verdict).toBe('worse')
    expect(worseOf(slower, false)).toEqual([])
    expect(worseOf(slower, true)).toHaveLength(1)
  })

  test('leaves out what only one of the two has', () => {
    expect(compare(fileOf(cpuFigure('a', BEFORE)), fileOf(cpuFigure('b', BEFORE)))).toEqual([])
  })
})

describe('a baseline', () => {
  test('holds nothing that only a clock says', () => {
    const file = fileOf(cpuFigure('a', BEFORE), wallFigure('r', BEFORE, 'ms', 'lower'))
    expect(baselineOf(file).figures.map(({ name }) => name)).toEqual(['a'])
  })
})

describe('a report', () => {
  test('escapes whatever could be markup', () => {
    expect(escapeHtml(`<a href="x" id='y'>&`)).toBe(
      '&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;',
    )
    const figure = cpuFigure('road/<script>alert(1)</script>/cpu/encryptor', BEFORE)
    const html = renderReport(fileOf(figure))
    expect(html).not.toContain('<script>')
    expect(html).not.toContain('<b>')
    expect(html).toContain('&lt;script&gt;')
  })

  test('names nothing outside of itself', () => {
    const html = renderReport(
      fileOf(
        cpuFigure('road/1024 B/cpu/encryptor', BEFORE),
        ...['P50', 'P95', 'P99', 'P99.9'].map((quantile) =>
          wallFigure(`latency/default/100 msg/s/seal/${quantile}`, [5], 'ms', 'lower'),
        ),
      ),
    )
    expect(html).not.toMatch(/https?:|src=|url\(|@import/)
    expect(html.match(/<svg/g)?.length).toBe(html.match(/<\/svg>/g)?.length)
    expect(html).toContain('polyline')
  })
})

describe('a number', () => {
  test('has four figures and no exponent', () => {
    expect(numberText(46_213.4)).toBe('46213')
    expect(numberText(1.234_56)).toBe('1.235')
    expect(numberText(0.000_123_456)).toBe('0.0001235')
    expect(numberText(0)).toBe('0')
  })
})
