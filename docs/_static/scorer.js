// Of names that fit equally the one nearest to vech itself comes first; what was measured or changed, last.
var Scorer = {
    score: ([page, title, , , score]) =>
        score - 0.1 * title.split(".").length - (/^(benchmarks|changes|architecture)/.test(page) ? 10 : 0),
    objNameMatch: 11,
    objPartialMatch: 6,
    objPrio: { 0: 15, 1: 5, 2: -5 },
    objPrioDefault: 0,
    title: 15,
    partialTitle: 7,
    term: 5,
    partialTerm: 2,
};
