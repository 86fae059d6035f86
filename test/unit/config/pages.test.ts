import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { variableOf } from '../../../src/config/environment.ts'
import { parseConfig } from '../../../src/config/load-config.ts'
import { configReference, exampleConfig, redactedConfig } from '../../../src/config/pages.ts'
import { configLeaves } from '../../../src/config/walk.ts'
import { parseTree, refusalOf, treeWith } from './sample.ts'

function at(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((node, key) => (node as Record<string, unknown>)?.[key], tree)
}

describe('the example', () => {
  it('is accepted without a warning', () => {
    expect(parseConfig(exampleConfig(), {}, 'example').warnings).toEqual([])
  })

  it('says the defaults that the schema has', () => {
    const fromExample = parseConfig(exampleConfig(), {}, 'example').config
    const defaults = parseTree({}).config
    const defaulted = configLeaves.filter((leaf) => leaf.presence === 'defaulted')
    // The keys of a section that is left out have no defaults.
    const inForce = defaulted.filter(({ path }) => at(defaults, path.slice(0, -1)) !== undefined)
    expect(defaulted.length - inForce.length).toBe(7)
    for (const { path } of inForce) {
      expect(at(fromExample, path), path.join('.')).toEqual(at(defaults, path))
      expect(at(parse(exampleConfig()), path), path.join('.')).toBeDefined()
    }
  })

  it('holds every key, and is accepted with all of them in force', () => {
    // Twice: an optional key of an optional section has two marks.
    const inForce = (text: string) => text.replace(/^( *)# (?=( {2}# )|( {2})?\w+:( |$))/gm, '$1')
    const everything = inForce(inForce(exampleConfig()))
      .replaceAll('enabled: false', 'enabled: true')
      .replace('by: topic', 'by: header')
      // A canary is one of the topics, and its KEKs stand where those of domains do.
      .replace('topic: sealstream-canary', 'topic: orders')
      .replace('  keks: []', '  keks: ["orders=canary-a"]')
      .replace('allowedKeyIds: []', 'allowedKeyIds: [canary-b]')
    const tree: unknown = parse(everything)
    for (const { path } of configLeaves) expect(at(tree, path), path.join('.')).toBeDefined()
    expect(refusalOf(() => parseConfig(everything, {}, 'example'))).toBe('')
  })

  it('is the file in the examples folder', async () => {
    await expect(exampleConfig()).toMatchFileSnapshot('../../../examples/sealstream.yaml')
  })
})

describe('the reference page', () => {
  it('has one row for every key, with its variable', () => {
    const rows = configReference().split('\n')
    for (const { path } of configLeaves) {
      const own = rows.filter((row) => row.startsWith(`| \`${path.join('.')}\` `))
      expect(own, path.join('.')).toHaveLength(1)
      expect(own[0]).toContain(`\`${variableOf(path)}\``)
    }
  })

  it('is the page in the docs folder', async () => {
    await expect(configReference()).toMatchFileSnapshot('../../../docs/config.md')
  })
})

describe('secrets', () => {
  const canary = 'canary-7f3a'
  const secrets = configLeaves.filter((leaf) => leaf.secret)
  const beside = {
    'kafka.sasl': { mechanism: 'plain', username: 'u', password: 'p' },
    's3.accessKeyId': 'a',
    's3.secretAccessKey': 'p',
    'kms.aws.accessKeyId': 'a',
    'kms.aws.secretAccessKey': 'p',
    'kms.vault': { address: 'http://127.0.0.1:8200', token: 'p' },
    'kms.azure': { tenantId: 't', clientId: 'c', clientSecret: 'p' },
    'kms.pkcs11': { module: '/m.so', tokenLabel: 't', pin: 'p' },
    'cassandra.username': 'a',
    'cassandra.password': 'p',
    'incident.webhookSecret': 'p',
  }
  /** A value of this key that holds the canary. */
  const holding = (path: string) =>
    path === 'incident.webhooks' ? [`https://hooks.example/${canary}`] : canary

  it('are all keys with a secret name', () => {
    const named = configLeaves.filter(({ path }) =>
      /secret|password|\.token$|\.pin$|\.webhooks$/i.test(path.join('.')),
    )
    expect(secrets).toEqual(named)
    expect(secrets).toHaveLength(9)
  })

  it.each(secrets.map((leaf) => leaf.path.join('.')))('%s is printed nowhere', (path) => {
    const { config, warnings } = parseTree({ ...beside, [path]: holding(path) })
    expect(JSON.stringify([redactedConfig(config), warnings])).not.toContain(canary)
    expect(at(redactedConfig(config), path.split('.'))).toBe('[redacted]')
    expect(at(config, path.split('.'))).toEqual(holding(path))
  })

  it.each(secrets.map((leaf) => leaf.path.join('.')))('%s is in no refusal', (path) => {
    const wrong = [[canary], { value: canary }]
    for (const value of wrong) {
      const refusal = refusalOf(() => parseTree({ ...beside, [path]: value }))
      expect(refusal).toContain(path)
      expect(refusal).not.toContain(canary)
    }
    const broken = `${JSON.stringify(treeWith({ ...beside, [path]: canary }))}\n${canary}: [`
    expect(refusalOf(() => parseConfig(broken, {}, 'x'))).not.toContain(canary)
  })

  it.each(['password: !canary-7f3a x', 'password: *canary-7f3a', 'canary-7f3a: [', '"canary-7f3a'])(
    'in a broken file are in no refusal: %s',
    (yaml) => {
      const refusal = refusalOf(() => parseConfig(yaml, {}, 'x'))
      expect(refusal).toContain('x is refused')
      expect(refusal).not.toContain(canary)
    },
  )
})
