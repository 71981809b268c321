/**
 * Sorts and filters the table of attempts. Builds its own controls, so that without scripts there are none that do nothing.
 * It reads text from the page and moves rows; it never makes markup from text.
 */
export const SCRIPT: string = `'use strict';
(() => {
  const table = document.querySelector('table.attempts');
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const tools = document.createElement('p');
  tools.className = 'tools';
  const label = document.createElement('label');
  label.textContent = 'Filter ';
  const input = document.createElement('input');
  input.type = 'search';
  input.placeholder = 'address, port, outcome';
  label.append(input);
  const count = document.createElement('output');
  tools.append(label, ' ', count);
  table.closest('.scroll').before(tools);
  const filter = () => {
    const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !words.every((word) => texts[index].includes(word));
      if (!row.hidden) shown += 1;
    });
    count.textContent = words.length ? shown + ' of ' + rows.length : '';
  };
  input.addEventListener('input', filter);
  const order = new Intl.Collator('en', { numeric: true });
  for (const th of table.tHead.rows[0].cells) {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...th.childNodes);
    th.append(button);
    button.addEventListener('click', () => {
      const down = th.getAttribute('aria-sort') === 'ascending';
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const key = (row) => row.cells[th.cellIndex].textContent;
      const sorted = rows.slice().sort((a, b) => order.compare(key(a), key(b)) * (down ? -1 : 1));
      body.append(...sorted);
    });
  }
})();
`;

/** SHA-256 of {@link SCRIPT} for the page's content security policy; a test holds it to the text. */
export const SCRIPT_HASH: string = 'sha256-A/KOLqXYN8IXH8U62mO1gkOKaLvmsVMIJQlcJd+/+rs=';
