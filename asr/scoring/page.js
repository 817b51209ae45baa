'use strict';
// Shows fifty utterances at a time. All text goes in as text, never as markup.
(() => {
  const N_SHOWN = 50;
  const at = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(at(id).textContent);
  const all = read('utterances'), pictures = read('pictures'), audio = read('audio');
  const state = {find: '', errors: '1', sort: 'errors', speaker: '', pair: '', page: '0'};

  function make(tag, text, name) {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (name) node.className = name;
    return node;
  }

  all.forEach((each, place) => {
    each.place = place;
    each.errors = each.n[0] + each.n[1] + each.n[2];
    each.rate = each.errors / Math.max(each.n[3], 1);
    const words = each.a.map((part) => (typeof part === 'string' ? part : part.filter((word) => word).join(' ')));
    each.text = [each.id, each.flags ?? '', ...words].join(' ').toLowerCase();
  });
  const ORDERS = {
    errors: (a, b) => b.errors - a.errors || b.rate - a.rate,
    rate: (a, b) => b.rate - a.rate || b.errors - a.errors,
    id: () => 0,
    longest: (a, b) => (b.s ?? -1) - (a.s ?? -1),
    noisiest: (a, b) => (a.snr ?? 1e9) - (b.snr ?? 1e9),
  };

  function chosen() {
    const words = state.find.toLowerCase().split(/\s+/).filter((word) => word);
    const pair = state.pair ? JSON.parse(state.pair) : null;
    return all.filter((each) =>
      (!state.errors || each.errors) &&
      (!state.speaker || each.who === state.speaker) &&
      words.every((word) => each.text.includes(word)) &&
      (!pair || each.a.some((part) => typeof part !== 'string' && part[0] === pair[0] && part[1] === pair[1]))
    ).sort(ORDERS[state.sort] || ORDERS.errors);
  }

  function shownWords(parts) {
    const line = make('p', undefined, 'words');
    for (const part of parts) {
      if (typeof part === 'string') {
        line.append(make('bdi', part));
      } else {
        const [reference, hypothesis] = part;
        const kind = hypothesis === null ? 'delete' : reference === null ? 'insert' : 'substitute';
        const box = make('span', undefined, 'error ' + kind);
        box.title = kind;
        box.append(make('del', reference === null ? '·' : reference), make('ins', hypothesis === null ? '·' : hypothesis));
        line.append(box);
      }
      line.append(' ');
    }
    return line;
  }

  function article(each) {
    const box = make('article'), header = make('header');
    const [s, d, i, n] = each.n;
    header.append(make('b', each.id), make('span', `${each.errors} of ${n} words wrong: ${s} S, ${d} D, ${i} I`));
    if (each.who !== undefined) header.append(make('span', 'speaker ' + each.who));
    if (each.from !== undefined) header.append(make('span', each.from));
    if (each.s !== undefined) header.append(make('span', each.s.toFixed(1) + ' s'));
    if (each.snr !== undefined) header.append(make('span', each.snr.toFixed(0) + ' dB'));
    if (each.flags !== undefined) header.append(make('span', '⚠ ' + each.flags));
    box.append(header, shownWords(each.a));
    const source = audio[each.place] ? 'data:audio/flac;base64,' + audio[each.place] : each.url;
    if (source) {
      const player = make('audio');
      player.controls = true;
      player.preload = 'none';
      player.src = source;
      box.append(player);
    }
    if (pictures[each.place]) {
      const more = make('details'), image = make('img');
      image.src = 'data:image/png;base64,' + pictures[each.place];
      image.alt = 'log-mel, words and attention';
      more.append(make('summary', 'what the model saw'), image);
      box.append(more);
    }
    return box;
  }

  function show() {
    const found = chosen();
    const last = Math.max(0, Math.ceil(found.length / N_SHOWN) - 1);
    const page = Math.min(Math.max(0, parseInt(state.page, 10) || 0), last);
    state.page = String(page);
    const start = page * N_SHOWN;
    at('rows').replaceChildren(...found.slice(start, start + N_SHOWN).map(article));
    at('where').textContent = found.length
      ? `${start + 1}–${Math.min(start + N_SHOWN, found.length)} of ${found.length}` : 'none';
    at('previous').disabled = page === 0;
    at('next').disabled = page === last;
    const pair = state.pair ? JSON.parse(state.pair) : null;
    at('pair').hidden = !pair;
    if (pair) at('pair').textContent = `${pair[0] ?? '·'} → ${pair[1] ?? '·'} ✕`;
    for (const name of ['find', 'sort', 'speaker']) at(name).value = state[name];
    at('errors').checked = Boolean(state.errors);
    history.replaceState(null, '', '#' + new URLSearchParams(state));
  }

  function change(name, value) {
    state[name] = value;
    if (name !== 'page') state.page = '0';
    show();
  }

  function tables() {
    for (const head of document.querySelectorAll('th[data-sort]')) {
      head.addEventListener('click', () => {
        const body = head.closest('table').tBodies[0], column = head.cellIndex;
        const down = head.dataset.sort !== 'down';
        const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
        const rows = [...body.rows].sort((a, b) => {
          const x = key(a), y = key(b), numbers = x !== '' && y !== '' && !isNaN(x) && !isNaN(y);
          return (numbers ? x - y : x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
        });
        head.dataset.sort = down ? 'down' : 'up';
        body.append(...rows);
      });
    }
    for (const button of document.querySelectorAll('button[data-pair]')) {
      button.addEventListener('click', () => {
        state.errors = '1';
        change('pair', button.dataset.pair);
        at('list').scrollIntoView();
      });
    }
  }

  for (const who of [...new Set(all.map((each) => each.who))].filter((name) => name !== undefined).sort()) {
    const option = make('option', who);
    option.value = who;
    at('speaker').append(option);
  }
  at('speaker').hidden = at('speaker').options.length < 3;
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(state)) if (asked.has(name)) state[name] = asked.get(name);
  try { JSON.parse(state.pair || 'null').length; } catch { state.pair = ''; }
  at('find').addEventListener('input', (event) => change('find', event.target.value));
  at('sort').addEventListener('change', (event) => change('sort', event.target.value));
  at('speaker').addEventListener('change', (event) => change('speaker', event.target.value));
  at('errors').addEventListener('change', (event) => change('errors', event.target.checked ? '1' : ''));
  at('pair').addEventListener('click', () => change('pair', ''));
  at('previous').addEventListener('click', () => change('page', String(parseInt(state.page, 10) - 1)));
  at('next').addEventListener('click', () => change('page', String(parseInt(state.page, 10) + 1)));
  tables();
  show();
})();
