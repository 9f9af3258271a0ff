// Tests the local page and the simulator's in headless Chromium, as a person uses them: at two widths,
// in light and dark, with axe-core. `make page` runs it; SHOTS=folder saves pictures of what it sees.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {after, before, describe, test} from 'node:test';

const {BROWSER, BROWSER_MODULES, LOCAL, SHOTS} = process.env;
const require = createRequire(BROWSER_MODULES + '/');
const {chromium} = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const rightToLeft = 'مريم بنت عبد الله', turned = 'ann\u202Eevil', long = 'x'.repeat(200);
const limit = Number(process.env.LIMIT || 5 * 60 * 1000); // only ends a test that hangs

// System is bin/local on ports of its own. It has a restart, on the same ports.
class System {
  constructor(env = {}) { this.env = {...process.env, ...env}; }
  async start(...args) {
    this.process = spawn(LOCAL, args.length ? args : ['-port', '0'], {env: this.env, stdio: ['ignore', 'pipe', 'inherit']});
    this.ended = new Promise(done => this.process.on('exit', done));
    // Read to its end: a program whose output is closed ends.
    let text = '';
    const where = await new Promise(done => {
      this.process.stdout.on('data', chunk => { text += chunk; const found = text.match(/page and API +(\S+)[\s\S]*Didit simulator +(\S+)/); if (found) done(found.slice(1)); });
      this.ended.then(() => done());
    });
    assert.ok(where, 'it did not start: ' + text);
    [this.url, this.didit] = where;
  }
  async stop() {
    this.process.kill('SIGTERM');
    await this.ended;
  }
  async restart() {
    await this.start('-port', new URL(this.url).port, '-simulator-port', new URL(this.didit).port);
  }
  async send(path, body, user) {
    const headers = {'Content-Type': 'application/json'};
    if (user) headers.Authorization = 'Bearer e30.' + Buffer.from(JSON.stringify({sub: user})).toString('base64url') + '.e30';
    const response = await fetch(this.url + path, {method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body)});
    return response.json();
  }
}

let browser;
before(async () => { browser = await chromium.launch({executablePath: BROWSER, args: ['--no-sandbox']}); });
after(() => browser?.close());

// withPage runs a test on a system of its own and an open page, which must write no error.
function withPage({env = {}, ...options}, run) {
  return async t => {
    const system = new System(env);
    await system.start();
    t.after(() => system.stop());
    const context = await browser.newContext({viewport: {width: 1280, height: 860}, ...options});
    t.after(() => context.close());
    context.setDefaultTimeout(limit / 2);
    const errors = [];
    context.on('page', page => {
      page.on('console', m => { if (m.type() === 'error' && !/Failed to load resource/.test(m.text())) errors.push(m.text()); });
      page.on('pageerror', e => errors.push(String(e)));
    });
    const page = await context.newPage();
    await page.goto(system.url);
    await page.locator('#live.on').waitFor();
    await run({page, context, system, t});
    assert.deepEqual(errors, []);
  };
}

// check fails on what axe-core finds, and on a page that is wider than its window.
async function check(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']})).violations
    .map(v => v.id + ': ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join('; ')));
  assert.deepEqual(found, [], what);
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= window, `${what}: ${wide} pixels wide, want at most ${window}`);
}
async function shoot(page, name, fullPage = false) {
  if (SHOTS) await page.screenshot({path: `${SHOTS}/${name}.png`, fullPage, animations: 'disabled'});
}
const text = (page, id) => page.locator(id).textContent();
const until = (page, id, wanted) => page.waitForFunction(([id, wanted]) => document.querySelector(id)?.textContent.includes(wanted), [id, wanted]);
const focused = page => page.evaluate(() => document.activeElement.id || document.activeElement.dataset.key || document.activeElement.tagName);
const hop = (page, kind, words) => page.locator('#hops li', {has: page.locator('.kind.' + kind)}).filter({hasText: words}).first();

for (const width of [1280, 390]) {
  for (const colorScheme of ['light', 'dark']) {
    const name = `${width}-${colorScheme}`;
    test(`a user is verified, at ${name}`, {timeout: limit}, withPage({colorScheme, viewport: {width, height: 860}}, async ({page, context}) => {
      await check(page, 'before anything happened');
      await shoot(page, `start-${name}`);
      await page.locator('#act').click();
      await until(page, '#act', 'Open Didit’s page');
      assert.equal(await focused(page), 'act', 'the button keeps the focus');
      assert.match(await text(page, '#news'), /A session was created/);
      await until(page, '#chosen', 'Not Started');
      await page.locator('#code-image:visible').waitFor();
      assert.ok(await page.locator('#code-image').evaluate(image => image.complete && image.naturalWidth > 0), 'the QR code is drawn');
      await hop(page, 'request', 'POST /sessions').waitFor();
      await check(page, 'with a session');
      await shoot(page, `open-${name}`, true);

      const opened = context.waitForEvent('page');
      await page.locator('#act').click();
      const didit = await opened;
      await didit.getByRole('button', {name: 'Approve'}).waitFor();
      await check(didit, 'the end user’s page');
      await didit.getByRole('button', {name: 'Approve'}).click();
      await didit.getByRole('heading', {name: 'Session finished'}).waitFor();
      await check(didit, 'the finished page');
      await didit.getByRole('link', {name: /Review or withdraw/}).click();
      await didit.locator('details[open]').getByText('alice').waitFor();
      await check(didit, 'the console');
      await shoot(didit, `console-${name}`, true);
      await didit.close();

      await until(page, '#screen-title', 'You are verified');
      await until(page, '#chosen', 'LIVENESS Approved');
      for (const [kind, words] of [['didit', '/v2/session/'], ['webhook', 'status.updated: Approved'], ['event', 'Status Updated'], ['table', '→ Approved']]) await hop(page, kind, words).waitFor();
      const row = hop(page, 'webhook', 'status.updated: Approved');
      await row.locator('summary').click();
      await row.getByText('X-Signature: •••').waitFor();
      const shown = await row.textContent();
      assert.match(shown, /"status": "Approved"/);
      assert.doesNotMatch(await text(page, '#hops'), /Carmen|CAA000000|\/session\/[A-Za-z0-9_-]{12}(?![A-Za-z0-9-])/, 'no person, no link');
      await check(page, 'with an open row');
      await page.evaluate(() => document.activeElement.blur());
      await shoot(page, `page-${name}`, width < 1000);
    }));
  }
}

describe('the page', {concurrency: false}, () => {
  test('shows sessions of every caller, whatever their names are', {timeout: limit}, withPage({viewport: {width: 390, height: 844}}, async ({page, system}) => {
    for (const user of [rightToLeft, turned, long]) await system.send('/sessions', {}, user);
    await page.locator('#sessions li').nth(2).waitFor();
    for (const user of [rightToLeft, turned, long]) {
      const row = page.locator('#sessions bdi', {hasText: user});
      assert.equal(await row.count(), 1);
      await row.click();
      await page.waitForFunction(user => document.querySelector('#user').value === user && document.querySelector('#who').textContent === user, user);
      await check(page, user.slice(0, 20));
    }
    await shoot(page, 'names-390-light', true);
  }));

  test('keeps 50 sessions in a list that scrolls, and what is chosen over a reload', {timeout: limit}, withPage({}, async ({page, system}) => {
    for (let i = 0; i < 55; i++) await system.send('/local/workflows', {user_id: 'user-' + i});
    await until(page, '#sessions-count', 'the newest 50 of 55');
    assert.equal(await page.locator('#sessions li').count(), 50);
    const [list, whole] = await page.evaluate(() => [document.querySelector('#sessions').clientHeight, document.documentElement.scrollHeight]);
    assert.ok(list < 300 && whole < 2400, `the list is ${list} pixels high, the page ${whole}`);
    await page.locator('#sessions bdi', {hasText: /^user-40$/}).click();
    await page.locator('#tab-Kotlin').click();
    await page.locator('#show-one').click();
    await until(page, '#chosen', 'one workflow');
    await check(page, '50 sessions');
    await shoot(page, 'many-1280-light');
    await page.reload();
    await until(page, '#chosen', 'user-40');
    assert.equal(await page.locator('#user').inputValue(), 'user-40');
    assert.equal(await page.locator('#tab-Kotlin').getAttribute('aria-selected'), 'true');
    assert.equal(await page.locator('#show-one').getAttribute('aria-pressed'), 'true');
    assert.match(await text(page, '#snippet'), /HttpURLConnection/);
    const others = await page.locator('#hops li:visible').evaluateAll(rows => new Set(rows.map(r => r.dataset.session)).size);
    assert.equal(others, 1, 'only the hops of the chosen session');
  }));

  test('heals a lost webhook, and says what it waits for', {timeout: limit}, withPage({}, async ({page}) => {
    await page.locator('#workflow').click();
    await until(page, '#workflow-answer', 'waits for the decision');
    await page.locator('#quirk-never').click();
    await page.locator('#quirk-never[aria-pressed=true]').waitFor();
    await page.getByRole('button', {name: 'Approve'}).click();
    await page.locator('#warn:visible').waitFor();
    await until(page, '#warn-text', 'reconcile asks Didit in');
    await hop(page, 'webhook', 'lost').waitFor();
    await check(page, 'a lost webhook');
    await shoot(page, 'lost-1280-light');
    await page.locator('#skip').click();
    await until(page, '#screen-title', 'You are verified');
    await hop(page, 'event', 'read from Didit').waitFor();
    await hop(page, 'task', 'verified').waitFor();
    assert.equal(await page.locator('#warn:visible').count(), 0);
  }));

  test('follows a decision that is withdrawn, and a replayed webhook', {timeout: limit}, withPage({}, async ({page, system}) => {
    await page.locator('#act').click();
    await until(page, '#chosen', 'Not Started');
    for (const [button, title] of [['Send to review', 'We are looking at it'], ['Approve', 'You are verified'], ['Withdraw', 'We could not verify you'], ['Ask to resubmit', 'Almost there|Your page is ready'], ['Expire', 'Your session has ended']]) {
      await system.send('/local/clock', {forward_seconds: 2}); // events have whole seconds
      await page.locator('#chosen').getByRole('button', {name: button, exact: true}).click();
      await page.waitForFunction(title => new RegExp(title).test(document.querySelector('#screen-title').textContent), title);
    }
    await page.locator('#chosen').getByRole('button', {name: 'Replay webhook'}).click();
    await until(page, '#news', 'Sent again: 200');
    assert.equal(await focused(page), 'replay');
    await until(page, '#screen-title', 'Your session has ended');
  }));

  test('asks for no needless session', {timeout: limit}, withPage({}, async ({page}) => {
    await page.locator('#act').click();
    await until(page, '#act', 'Open Didit’s page');
    await page.locator('#chosen').getByRole('button', {name: 'Approve'}).click();
    await until(page, '#screen-title', 'You are verified');
    await page.locator('#act').click();
    await until(page, '#screen-note', '409 already_verified');
    await check(page, 'already verified');
    await shoot(page, 'verified-1280-light');
  }));

  test('forgets a user', {timeout: limit}, withPage({}, async ({page}) => {
    await page.locator('#act').click();
    await until(page, '#act', 'Open Didit’s page');
    await page.locator('#forget').click();
    await until(page, '#workflow-answer', 'Forgotten: 1 of 1');
    await hop(page, 'event', 'erased').waitFor();
    await page.locator('#sessions .pill', {hasText: 'Deleted'}).waitFor();
    await until(page, '#act', 'Verify my identity');
    await check(page, 'a forgotten user');
    await shoot(page, 'forgotten-1280-light');
  }));

  test('says what the app says when Didit fails', {timeout: limit}, withPage({}, async ({page}) => {
    await page.locator('#name-rate_limited').click();
    await page.locator('#name-rate_limited[aria-pressed=true]').waitFor();
    await page.locator('#act').click();
    await until(page, '#screen-note', '503 throttled');
    await hop(page, 'didit', '429').waitFor();
    await check(page, 'a failure');
    await page.locator('#name-rate_limited').click();
    await page.locator('#name-rate_limited[aria-pressed=false]').waitFor();
    await page.locator('#act').click();
    await until(page, '#screen-title', 'Your page is ready');
    await page.locator('#more summary').click();
    await page.locator('#user').fill('bob');
    await page.locator('#body').fill('{"contact_details":{"phone":"1"}}');
    await page.locator('#act').click();
    await until(page, '#screen-note', '400 invalid_request');
  }));

  test('shows the request in four languages, and copies it', {timeout: limit}, withPage({permissions: ['clipboard-read', 'clipboard-write']}, async ({page, system}) => {
    await page.locator('#tab-curl').focus();
    for (const [language, part] of [['curl', 'curl -s'], ['Swift', 'URLRequest'], ['Kotlin', 'HttpURLConnection'], ['TypeScript', 'await fetch(']]) {
      assert.equal(await focused(page), 'tab-' + language);
      const shown = await text(page, '#snippet');
      assert.ok(shown.includes(part) && shown.includes(system.url + '/sessions'), shown);
      await page.keyboard.press('ArrowRight');
    }
    await page.keyboard.press('ArrowLeft');
    await page.locator('#copy').click();
    await until(page, '#news', 'Copied');
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await text(page, '#snippet'));
    // The one in TypeScript runs as it stands.
    const session = await page.evaluate(code => new Function('return (async () => {' + code + '; return session })()')(), await text(page, '#snippet'));
    assert.equal(session.vendor_data, 'alice');
  }));

  for (const [what, env] of [['servers as callers', {CALLER_AUTH: 'iam'}], ['any workflow', {WORKFLOW_IDS: '*'}], ['another claim', {PRINCIPAL_CLAIM: 'email'}], ['an issuer', {JWT_ISSUER: 'https://id.example.com/', JWT_AUDIENCE: 'app'}]]) {
    test('works with ' + what, {timeout: limit}, withPage({env}, async ({page}) => {
      await page.locator('#act').click();
      await until(page, '#act', 'Open Didit’s page');
      await page.locator('#chosen').getByRole('button', {name: 'Approve'}).click();
      await until(page, '#screen-title', 'You are verified');
      await check(page, what);
    }));
  }

  test('notices that the system has stopped, and goes on with the next', {timeout: limit}, withPage({}, async ({page, system}) => {
    await page.locator('#act').click();
    await until(page, '#act', 'Open Didit’s page');
    await system.stop();
    await until(page, '#trouble', 'make run');
    await page.locator('#act').focus();
    await check(page, 'a stopped system');
    await shoot(page, 'stopped-1280-light');
    await system.restart();
    await page.locator('#live.on').waitFor();
    await until(page, '#news', 'restarted');
    assert.equal(await page.locator('#trouble:visible').count(), 0);
    assert.equal(await focused(page), 'act');
    await until(page, '#act', 'Verify my identity');
  }));
});

test('the simulator’s console arms what its buttons say', {timeout: limit}, withPage({}, async ({page, system}) => {
  await page.goto(system.didit);
  await page.locator('#fault-server_error').click();
  await page.locator('#fault-server_error[aria-pressed=true]').waitFor();
  await page.locator('#quirk-twice').click();
  await page.locator('#quirk-twice[aria-pressed=true]').waitFor();
  await until(page, '#armed', 'server_error');
  assert.equal((await system.send('/sessions', {}, 'alice')).code, 'didit_unavailable');
  await check(page, 'armed');
  await page.locator('#clear').click();
  await page.locator('#fault-server_error[aria-pressed=false]').waitFor();
  await page.locator('#foreign').click();
  await page.locator('#sessions summary').click();
  await page.locator('#sessions').getByRole('button', {name: 'Approved', exact: true}).click();
  await page.locator('#sessions .pill', {hasText: 'Approved'}).waitFor();
  await check(page, 'an open session');
  await page.getByRole('link', {name: 'Go to the app'}).click();
  await page.locator('#sessions').getByText('not ours').waitFor();
}));
