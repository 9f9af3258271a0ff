// Didit.
const outcomes = [['Approved', 'Approve', 'good'], ['Declined', 'Decline', 'bad'], ['In Review', 'Send to review'], ['Resubmitted', 'Ask to resubmit'],
  ['Abandoned', 'Abandon'], ['Expired', 'Expire'], ['Kyc Expired', 'Let it lapse']];
const labelOf = (s, [status, label]) => s.at_didit !== 'Approved' ? label : {'Declined': 'Withdraw'}[status] || label;
const offered = s => s.at_didit === 'Deleted' ? [] : outcomes.filter(([status]) => status !== s.at_didit && (status !== 'Kyc Expired' || s.at_didit === 'Approved') &&
  (s.at_didit !== 'Approved' || !['Abandoned', 'Expired'].includes(status)));
const faults = {rate_limited: 'Rate limit, 429', server_error: 'Failure, 500', slow: 'Slow, 3 s', forbidden: 'Wrong key'};
const quirks = {never: 'Lost', late: 'Late', twice: 'Twice', wrong_signature: 'Forged', stale: 'An hour old'};
function switches(id, labels, path, key, armed, extra = () => ({})) {
  for (const [name, label] of Object.entries(labels)) {
    const chip = element('button', {type: 'button', className: 'chip', id: key + '-' + name}, label);
    $(id).append(onClick(chip, async () => {
      const on = armed().some(a => a[key] === name);
      await (on ? local('DELETE', 'simulator/' + path + '?' + key + '=' + name) : local('POST', 'simulator/' + path, {[key]: name, ...extra(name)}));
      say(label + (on ? ' is off.' : ' is on.'));
      await refresh(false);
    }));
  }
}
switches('faults', faults, 'faults', 'name', () => state.armed.faults, name => name === 'slow' ? {pause_ms: 3000} : {});
switches('quirks', quirks, 'webhook/quirks', 'quirk', () => state.armed.quirks);

function drawChosen() {
  const s = chosen();
  if (!s) return put('chosen', null, () => element('p', {className: 'soft'}, 'No session yet. Press the button in the app, or send the request from a terminal: it shows up here, whoever makes it.'));
  put('chosen', [s.session_id, s.at_didit, s.status, s.recorded, s.tasks, s.event, s.checks], () => {
    const id = onClick(element('button', {type: 'button', className: 'small', title: 'Copy the id'}, 'Copy'), () => copy(s.session_id));
    id.dataset.key = 'copy';
    id.setAttribute('aria-label', 'Copy the session’s id');
    const facts = [['At Didit', pill(s.at_didit, statusTones[s.at_didit])],
      ['On record', s.recorded ? pill(s.status, statusTones[s.status]) : s.at_didit === 'Deleted' ? 'erased' : 'no: this backend never asked for it']];
    if (s.checks.length) facts.push(['Checks', s.checks.map(c => c.feature + ' ' + (c.status || '–')).join(', ')]);
    if (s.tasks) facts.push(['Waiting', s.tasks === 1 ? 'one workflow' : s.tasks + ' workflows']);
    const buttons = offered(s).map(each => {
      const button = element('button', {type: 'button', className: each[2] || ''}, labelOf(s, each));
      button.dataset.key = each[0];
      return onClick(button, async () => {
        await local('POST', 'simulator/sessions/' + s.session_id + '/status', {status: each[0]});
        say('Didit: ' + each[0]);
        await refresh(false);
      });
    });
    const replay = element('button', {type: 'button'}, 'Replay webhook');
    replay.dataset.key = 'replay';
    onClick(replay, async () => {
      const {data} = await local('POST', 'simulator/deliveries/' + s.event + '/resend', {});
      say('Sent again: ' + (data.problem || data.status));
    });
    return [element('p', {className: 'name'}, bdi(s.vendor_data || 'no vendor_data')),
      element('div', {className: 'line'}, element('code', {className: 'id soft'}, s.session_id), id), element('dl', {}, ...facts.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)])),
      element('div', {className: 'warn', id: 'warn', hidden: true}, element('span', {id: 'warn-text'}), onClick(Object.assign(element('button', {type: 'button'}, 'Skip the wait'), {id: 'skip'}), skip)),
      element('div', {className: 'actions', hidden: state.real_account}, ...buttons, ...(s.event && s.at_didit !== 'Deleted' ? [replay] : []))];
  });
  // Between a webhook and its record lie milliseconds; only what lasts is lost.
  const differs = s.recorded && s.at_didit !== s.status;
  behind = differs ? behind || Date.now() : 0;
  if (!$('warn')) return;
  $('warn').hidden = !(differs && Date.now() - behind > 1500);
  const left = s.due_from ? Math.max(0, Math.ceil((Date.parse(s.due_from) - now()) / 1000)) : 0;
  $('warn-text').textContent = (s.doubtful ? 'Two decisions of one second: the backend cannot tell which is newer. ' : 'No webhook arrived: the backend does not know yet. ') +
    (!s.due_from ? 'It asks Didit once the app asks a day later.' : left ? 'reconcile asks Didit in ' + left + ' s.' : 'reconcile asks Didit now.');
}
// now is the time by the system's clock, which may be ahead.
const now = () => Date.parse(state.now) + Date.now() - received;
async function skip() {
  const s = chosen(), wait = s.due_from ? Math.max(1, (Date.parse(s.due_from) - now()) / 1000 + 1) : 24 * 3600 + 1;
  await local('POST', 'clock', {forward_seconds: wait});
  say('The clock was set forward.');
  if (!s.due_from) await ask(s);
}
function choose(s) {
  keep({chosen: s.session_id, user: s.vendor_data || kept.user});
  $('user').value = kept.user;
  problem = null;
  behind = 0;
  draw();
}
function drawSessions() {
  const listed = state.sessions;
  $('sessions-count').textContent = state.total > listed.length ? 'the newest ' + listed.length + ' of ' + state.total : listed.length || '';
  put('sessions', [listed.map(s => [s.session_id, s.at_didit, s.recorded]), kept.chosen], () => !listed.length ? element('li', {className: 'empty'}, 'Sessions of every caller show up here.') : listed.map(s => {
    const button = element('button', {type: 'button'}, pill(s.at_didit, statusTones[s.at_didit]), bdi(s.vendor_data || 'no vendor_data'), time(s.created_at));
    if (!s.recorded && s.at_didit !== 'Deleted') button.append(pill('not ours', 'bad'));
    button.dataset.key = s.session_id;
    button.setAttribute('aria-current', s.session_id === kept.chosen);
    button.addEventListener('click', () => choose(s));
    return element('li', {}, button);
  }));
}

// The timeline. Rows are kept by the hop's id, so that an open one stays open.
const rows = new Map();
const words = {request: 'request', didit: 'Didit', webhook: 'webhook', event: 'event', table: 'table', task: 'task'};
const brief = title => title.replace(/([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '$1…').replace('Verification Session ', '');
function hopRow(h, fresh) {
  const owner = state.sessions.find(s => s.session_id === h.session_id);
  const meta = [time(h.at, {hour12: false, hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3})];
  if (h.took) meta.push(element('span', {}, h.took.toFixed(h.took < 10 ? 1 : 0) + ' ms'));
  if (owner) meta.push(bdi(owner.vendor_data || owner.session_id.slice(0, 8)));
  if (h.times > 1) meta.push(element('span', {}, h.times + ' times'));
  if (h.note) meta.push(element('span', {}, h.note));
  const detail = element('div', {className: 'detail'}, ...h.parts.flatMap(p => [element('h3', {}, p.title),
    ...(p.headers?.length ? [element('p', {className: 'headers'}, p.headers.join('\n'))] : []), ...(p.body ? [element('pre', {tabIndex: 0}, p.body)] : [])]));
  for (const pre of detail.querySelectorAll('pre')) pre.setAttribute('role', 'group'), pre.setAttribute('aria-label', 'Body');
  const details = element('details', {open: Boolean(rows.get(h.id)?.querySelector('details').open)},
    element('summary', {}, element('span', {className: 'kind ' + h.kind}, words[h.kind]), element('span', {className: 'title'}, brief(h.title)), pill(h.result, h.tone),
      element('span', {className: 'meta'}, ...meta)), detail);
  const row = element('li', {className: fresh ? 'fresh' : ''}, details);
  row.dataset.session = h.session_id;
  return row;
}
function takeHops(hops, fresh) {
  $('hops').querySelector('.empty')?.remove();
  for (const h of hops) {
    const row = hopRow(h, fresh), old = rows.get(h.id);
    if (!old) $('hops').prepend(row);
    else if (old.contains(document.activeElement)) continue;
    else old.replaceWith(row);
    rows.set(h.id, row);
  }
  while (rows.size > 400) { const [id, row] = rows.entries().next().value; row.remove(); rows.delete(id); }
}
function drawTimeline() {
  $('show-all').setAttribute('aria-pressed', !kept.one);
  $('show-one').setAttribute('aria-pressed', kept.one);
  for (const row of rows.values()) row.hidden = kept.one && row.dataset.session !== kept.chosen;
  if (!rows.size && !$('hops').children.length) $('hops').append(element('li', {className: 'empty'}, 'Nothing yet. Press the button in the app: request, Didit, table, webhook and event follow one by one.'));
}
$('show-all').addEventListener('click', () => { keep({one: false}); draw(); });
$('show-one').addEventListener('click', () => { keep({one: true}); draw(); });

function draw() {
  if (!chosen()) { const latest = mine()[0] || (kept.chosen ? null : state.sessions[0]); if (latest) keep({chosen: latest.session_id}); }
  drawApp();
  drawChosen();
  drawSessions();
  drawTimeline();
  $('simulator').hidden = $('simulated').hidden = state.real_account;
  $('real').hidden = !state.real_account;
  for (const name in faults) $('name-' + name).setAttribute('aria-pressed', state.armed.faults.some(f => f.name === name));
  for (const name in quirks) $('quirk-' + name).setAttribute('aria-pressed', state.armed.quirks.some(q => q.quirk === name));
}
function lost(error) {
  if (error && !/fetch|network|load/i.test(error.message)) console.error(error); // not a lost connection
  $('live').className = 'off';
  $('live-text').textContent = 'stopped';
  if (!$('trouble').hidden) return;
  $('trouble').hidden = false;
  $('trouble').replaceChildren(element('p', {}, 'The system does not answer. Start it with make run: this page goes on by itself.'));
}
// refresh takes the state; with wait, as soon as something has happened.
async function refresh(wait) {
  const query = state.run ? '?run=' + state.run + '&after=' + (wait ? state.version : state.version - 1) : '';
  const before = state, {data} = await send('GET', '/local/state' + query, {});
  if (data.version < state.version && data.run === state.run) return;
  if (before.run && before.run !== data.run) {
    say('The system was restarted: its sessions are gone.');
    for (const map of [documents, links, rows, drawn]) map.clear();
    $('hops').replaceChildren();
    problem = null;
  }
  state = data;
  received = Date.now();
  takeHops(data.hops, Boolean(before.run));
  $('trouble').hidden = true;
  $('live').className = 'on';
  $('live-text').textContent = 'live';
  draw();
}
// The app asks when its backend has news, which a push would bring, when it is opened again, and at Retry-After.
async function follow() {
  const session = ofApp(), known = session && documents.get(session.session_id);
  if (session && !known?.asking && (!known || known.seen !== session.updated_at + session.status || known.due <= Date.now())) await ask(session).then(draw);
}
document.addEventListener('visibilitychange', () => { const s = ofApp(); if (!document.hidden && s && !s.final) ask(s).then(draw, lost); });
$('user').addEventListener('change', () => { keep({user: $('user').value.trim() || 'alice', chosen: ''}); problem = null; $('user').value = kept.user; draw(); });
$('body').addEventListener('input', () => { keep({body: $('body').value}); draw(); });
const simulator = new URL($('simulator').href);
simulator.hostname = location.hostname; // it listens where this page is served
$('simulator').href = simulator.href;
$('user').value = kept.user;
$('body').value = kept.body;
if (iam) {
  $('app-title').textContent = 'Your server';
  $('user-name').textContent = 'End user';
  $('user-hint').textContent = 'as vendor_data';
}
(async function live() {
  for (;;) {
    try {
      await refresh(true);
      await follow();
    } catch (error) {
      lost(error);
      await new Promise(done => setTimeout(done, 1000));
    }
  }
})();
