// Asks for transcodes by SQL as Studio does, before any daemon is up: two roles of two
// tenants, a thousand in one transaction, rolled back and committed.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'

const many = 1000
const studio = new pg.Client({ connectionString: process.env.STUDIO_URL })
const other = new pg.Client({ connectionString: process.env.OTHER_URL })

before(() => Promise.all([studio.connect(), other.connect()]))
after(() => Promise.all([studio.end(), other.end()]))

function request (task, change = {}) {
  return {
    external_id: `task-${task}`,
    source: { url: 's3+https://KEY:SECRET@s3.example/media/in/clip.mp4' },
    output: { url: `s3+https://KEY:SECRET@s3.example/media/out/${task}` },
    callback_url: `http://127.0.0.1:9/hooks/${task}`,
    profiles: [{ name: '720p', width: 1280, height: 720, bitrate: 3000000 }],
    ...change
  }
}

async function enqueue (client, body) {
  const { rows } = await client.query('SELECT weir.enqueue_transcode($1::jsonb) AS id', [JSON.stringify(body)])
  return rows[0].id
}

async function count (client) {
  const { rows } = await client.query("SELECT count(*)::int AS n FROM weir.my_transcodes WHERE state = 'queued'")
  return rows[0].n
}

async function thousand (end) {
  const ids = new Set()
  const began = performance.now()
  await studio.query('BEGIN')
  for (let n = 0; n < many; n++) ids.add(await enqueue(studio, request(n)))
  await studio.query(end)
  console.log(`${many} in one transaction, ${end}: ${Math.round(performance.now() - began)} ms`)
  assert.equal(ids.size, many)
}

test('rolled back, nothing is left', async () => {
  await thousand('ROLLBACK')
  assert.equal(await count(studio), 0)
})

test('committed, all are there', async () => {
  await thousand('COMMIT')
  assert.equal(await count(studio), many)
  await enqueue(studio, request(0)) // a repetition
  assert.equal(await count(studio), many)
})

test('a tenant sees its own alone', async () => {
  assert.equal(await count(other), 0)
  for (let n = 0; n < 10; n++) await enqueue(other, request(n, { callback_url: 'http://127.0.0.1:9/other' }))
  assert.equal(await count(other), 10)
  assert.equal(await count(studio), many)
  await assert.rejects(other.query('SELECT body FROM weir.inbox'), { code: '42501' })
})

test('a refusal names the field', async () => {
  const wrong = request('wrong', { profiles: [{ name: '720p', width: 0, height: 720, bitrate: 3000000 }] })
  await assert.rejects(enqueue(studio, wrong), { code: 'WR422', detail: 'body.profiles[0].width', hint: 'body.profiles[0].width: must be from 1 to 8192' })
  await assert.rejects(enqueue(studio, request(0, { callback_url: 'https://studio.example/another' })), { code: 'WR409', detail: 'body.external_id' })
})
