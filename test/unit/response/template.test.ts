import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { incidentOf } from '../../../src/response/incident.ts'
import { durationText, reportValuesOf } from '../../../src/response/report-values.ts'
import { fillTemplate, namesIn } from '../../../src/response/template.ts'
import { IncidentPlace } from '../../support/incident-place.ts'

const FOLDER = new URL('../../../docs/runbooks/', import.meta.url)

describe('a template', () => {
  it('gets its values, each as often as it asks, and nothing of a value is looked at again', () => {
    const values = { a: '{{b}} $& $1', b: '2' }
    expect(fillTemplate('t', '{{a}} {{ b }}{{b}}', values)).toBe('{{b}} $& $1 22')
    expect(namesIn('{{a}} {{ b }}{{b}}')).toEqual(['a', 'b'])
  })

  it.each(['{{c}}', '{{A}}', '{{}}', '{{toString}}', '{{#if a}}'])('refuses %s', (text) => {
    expect(() => fillTemplate('t.md', text, { a: '1' })).toThrow(/t\.md asks for/)
  })

  it.each(['{{a', 'a}}'])('refuses %s, whose braces belong to no name', (text) => {
    expect(() => fillTemplate('t.md', text, { a: '1' })).toThrow('t.md')
  })
})

describe('the papers of an incident', () => {
  it('can be filled from the first event on', async () => {
    const place = new IncidentPlace()
    const id = await place.declare()
    const values = reportValuesOf(incidentOf(id, await place.log.events(id)))
    for (const name of readdirSync(FOLDER)) {
      const text = readFileSync(new URL(name, FOLDER), 'utf8')
      expect(fillTemplate(name, text, values)).not.toContain('{{')
    }
    expect(values).toMatchObject({
      state: 'open',
      proof: 'not known yet',
      'approved-by': 'nobody yet',
    })
  })

  it('cannot be made to say something else by what people and services are called', async () => {
    const place = new IncidentPlace()
    const reason = 'x\n# heading\n| cell | [link](http://a) <b>'
    const id = await place.declare({ reason })
    const values = reportValuesOf(incidentOf(id, await place.log.events(id)))
    expect(values.reason).toBe('x # heading \\| cell \\| \\[link\\](http://a) \\<b\\>')
  })

  it('say durations as people do', () => {
    const texts = [null, 900, 61_000, 3_600_000, 90 * 60_000].map(durationText)
    expect(texts).toEqual(['not known yet', '0.9 s', '1 min 1 s', '1 h 0 min', '1 h 30 min'])
  })
})
