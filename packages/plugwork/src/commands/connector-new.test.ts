import { expect, test } from 'vitest'
import { openSandbox } from '../testing/spawn.ts'

test.each(['api', 'client'])(
  'connector new writes a package from the template %s, with names filled in',
  async (template) => {
    using sandbox = openSandbox()
    const args = ['connector', 'new', 'my_service', '--template', template, '--json']
    const { code, stdout } = await sandbox.plugwork(args)
    expect(code).toBe(0)
    const { files } = JSON.parse(stdout) as { readonly files: readonly string[] }
    expect(files).toEqual(expect.arrayContaining(['package.json', 'src/my_service.ts', 'src/my_service.test.ts']))
    const folder = 'plugwork-connector-my-service'
    const manifest = JSON.parse(sandbox.read(`${folder}/package.json`)) as Readonly<Record<string, unknown>>
    expect(manifest).toMatchObject({
      name: folder,
      keywords: ['plugwork-connector'],
      plugwork: { connectors: './dist/index.js', names: ['my_service'], api: expect.stringMatching(/^\^\d/) },
    })
    for (const file of files) expect(sandbox.read(`${folder}/${file}`)).not.toMatch(/acme|\{\{/i)
    expect(sandbox.read(`${folder}/src/my_service.ts`)).toContain('export const my_service = defineConnector({')
    expect(sandbox.read(`${folder}/examples/my_service.flow.yaml`)).toContain('flow: MyServiceExample')
    // Unbuilt it is left out, and the problem says why.
    const check = await sandbox.plugwork(['check', folder])
    expect(check.code).toBe(1)
    expect(check.stdout).toContain('Is it built?')
    expect((await sandbox.plugwork(['connector', 'new', 'my_service'])).stderr).toContain('is not empty')
  },
)

test.each([
  ['Todo', 'cannot be called Todo'],
  ['to-do', 'cannot be called to-do'],
  ['delete', 'cannot be called delete'],
  ['github', 'taken by the connector github'],
  ['pg', 'taken by the connector postgres'],
])('%s is refused as a name', async (name, said) => {
  using sandbox = openSandbox()
  const { code, stderr } = await sandbox.plugwork(['connector', 'new', name])
  expect(code).toBe(2)
  expect(stderr).toContain(said)
})
