// SPDX-License-Identifier: GPL-2.0-only
#include "pair_irrep.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "irrep_elements.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "platform.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <irrep/conventions.h>
#include <irrep/graph.h>
#include <new>
#include <system_error>

using namespace LAMMPS_NS;

static const uint32_t NOWHERE = UINT32_MAX;

// Doubles for each atom in one pass of communication: what LAMMPS' buffers are made for.
static const int PASS = 128;

PairIrrep::PairIrrep(LAMMPS *lmp) : Pair(lmp) {
  single_enable = 0;
  restartinfo = 0;
  one_coeff = 1;
  manybody_flag = 1;
  no_virial_fdotr_compute = 1;
  centroidstressflag = CENTROID_NOTAVAIL;
  comm_forward = comm_reverse = comm_reverse_off = PASS;
}

PairIrrep::~PairIrrep() {
  irrep_model_free(model_);
  if (allocated) {
    memory->destroy(setflag);
    memory->destroy(cutsq);
  }
}

/* What the input says */

void PairIrrep::settings(int n_words, char **words) {
  size_t n_threads = 1;
  precision_word_ = "model";
  head_word_.clear();
  dispersion_ = std::make_unique<IrrepDispersion>();
  for (int i = 0; i < n_words; i += 2) {
    const std::string word = words[i], value = i + 1 < n_words ? words[i + 1] : "";
    std::string wrong;
    if (dispersion_->take_word(word, value, wrong)) {
      if (i + 1 < n_words && !wrong.empty())
        error->all(FLERR, "pair_style irrep: {}", wrong);
    } else if (word != "precision" && word != "threads" && word != "head") {
      error->all(FLERR,
                 "pair_style irrep: unknown keyword {}: there are precision, threads, head, "
                 "dispersion, functional, d3_cutoff, cn_cutoff and d3_data",
                 word);
    }
    if (i + 1 == n_words)
      error->all(FLERR, "pair_style irrep: a value is missing after {}", word);
    if (word == "head") {
      head_word_ = value;
    } else if (word == "precision") {
      if (value != "single" && value != "double" && value != "model")
        error->all(FLERR, "pair_style irrep: precision {}: it can be single, double or model",
                   value);
      precision_word_ = value;
    } else if (word == "threads") {
      const int n = utils::inumeric(FLERR, value, false, lmp);
      if (n < 1 || n > IRREP_HELPERS_MAX + 1)
        error->all(FLERR, "pair_style irrep: threads {}: it can be 1 to {}", value,
                   IRREP_HELPERS_MAX + 1);
      n_threads = static_cast<size_t>(n);
    }
  }
  const std::string wrong = dispersion_->check();
  if (!wrong.empty())
    error->all(FLERR, "pair_style irrep: {}", wrong);
  try {
    team_.resize(n_threads);
  } catch (const std::system_error &) {
    error->one(FLERR, "pair_style irrep: {} threads cannot be started", n_threads);
  }
}

void PairIrrep::coeff(int n_words, char **words) {
  if (n_words < 4)
    error->all(FLERR, "pair_coeff for irrep: * *, a model file, and an element or NULL for each "
                      "atom type are due");
  if (strcmp(words[0], "*") != 0 || strcmp(words[1], "*") != 0)
    error->all(FLERR,
               "pair_coeff for irrep: atom types are due as * *, as the model has all pairs");
  if (!allocated) {
    const int n = atom->ntypes + 1;
    memory->create(setflag, n, n, "pair:setflag");
    memory->create(cutsq, n, n, "pair:cutsq");
    map = new int[n];
    allocated = 1;
  }
  map_element2type(n_words - 3, words + 3);
  load(words[2]);
  find_head();
  map_types(n_words - 3, words + 3);
  if (dispersion_->is_wanted())
    load_dispersion(words[2]);
}

std::vector<char> PairIrrep::read(const char *path, const char *what) {
  bigint size = -1;
  FILE *file = nullptr;
  if (comm->me == 0) {
    const std::string found = utils::get_potential_file_path(path);
    file = found.empty() ? nullptr : fopen(found.c_str(), "rb");
    if (file && fseek(file, 0, SEEK_END) == 0)
      size = ftell(file);
    if (file && size >= 0 && fseek(file, 0, SEEK_SET) != 0)
      size = -1;
  }
  MPI_Bcast(&size, 1, MPI_LMP_BIGINT, 0, world);
  if (size < 0)
    error->all(FLERR, "pair_coeff for irrep: {} {} cannot be opened", what, path);
  std::vector<char> bytes(static_cast<size_t>(size));
  int ok = 1;
  if (file) {
    ok = fread(bytes.data(), 1, bytes.size(), file) == bytes.size();
    fclose(file);
  }
  MPI_Bcast(&ok, 1, MPI_INT, 0, world);
  if (!ok)
    error->all(FLERR, "pair_coeff for irrep: {} {} cannot be read", what, path);
  const size_t most = size_t{1} << 28;
  for (size_t begin = 0; begin < bytes.size(); begin += most)
    MPI_Bcast(bytes.data() + begin, static_cast<int>(std::min(most, bytes.size() - begin)),
              MPI_BYTE, 0, world);
  return bytes;
}

void PairIrrep::load(const char *path) {
  irrep_model_free(model_);
  model_ = nullptr;
  struct irrep_error why;
  enum irrep_status status = IRREP_NO_MEMORY;
  try {
    const std::vector<char> bytes = read(path, "the model file");
    status = irrep_model_load(bytes.data(), bytes.size(), &model_, &why);
  } catch (const std::bad_alloc &) {
    error->one(FLERR, "pair_coeff for irrep: no memory for the model file {}", path);
  }
  if (status == IRREP_NO_MEMORY)
    error->one(FLERR, "pair_coeff for irrep: no memory for the model {}", path);
  if (status != IRREP_OK)
    error->all(FLERR, "pair_coeff for irrep: {}: {}{}{}: {}", path, irrep_status_message(status),
               why.field[0] ? " in " : "", why.field, why.detail);
}

void PairIrrep::find_head() {
  const struct irrep_card *card = irrep_model_card(model_);
  head_ = head_word_.empty() ? card->default_head
                             : irrep_model_find_head(model_, head_word_.data(), head_word_.size());
  if (head_ != IRREP_HEAD_NONE)
    return;
  std::string known;
  for (size_t i = 0; i < card->n_heads; i++)
    known += std::string(" ") + card->heads[i];
  if (head_word_.empty())
    error->all(FLERR,
               "pair_coeff for irrep: the model has several heads: name one by pair_style "
               "irrep head, of{}",
               known);
  error->all(FLERR, "pair_coeff for irrep: the model has no head {}; it has{}", head_word_,
             known.empty() ? " none by name" : known);
}

// The reference data lie beside the model, if the input says nothing else.
void PairIrrep::load_dispersion(const char *model_path) {
  const std::string name = "dftd3.params.safetensors", beside = model_path;
  const size_t slash = beside.rfind('/');
  std::string path = dispersion_->data_path();
  if (path.empty())
    path = slash == std::string::npos ? name : beside.substr(0, slash + 1) + name;
  struct irrep_error why;
  enum irrep_status status = IRREP_NO_MEMORY;
  try {
    status = dispersion_->load(read(path.c_str(), "the file of DFT-D3's reference data"), why);
  } catch (const std::bad_alloc &) {
    error->one(FLERR, "pair_coeff for irrep: no memory for {}", path);
  }
  if (status != IRREP_OK)
    error->all(FLERR, "pair_coeff for irrep: {}: {}: {}", path, irrep_status_message(status),
               why.detail);
}

void PairIrrep::map_types(int n_words, char **words) {
  const struct irrep_card *card = irrep_model_card(model_);
  const int32_t *begin = card->atomic_numbers, *end = begin + card->n_elements;
  number_of_.assign(static_cast<size_t>(atom->ntypes) + 1, 0);
  for (int i = 0; i < n_words && i < atom->ntypes; i++) {
    if (strcmp(words[i], "NULL") == 0)
      continue;
    const int number = irrep_element_number(words[i]);
    if (std::find(begin, end, number) == end) {
      std::string known;
      for (const int32_t *n = begin; n < end; n++)
        known += std::string(" ") + irrep_element_symbol(*n);
      error->all(FLERR, "pair_coeff for irrep: the model does not know {}; it knows{}", words[i],
                 known);
    }
    number_of_[static_cast<size_t>(i) + 1] = number;
  }
}

enum irrep_precision PairIrrep::precision() const {
  if (precision_word_ == "model")
    return irrep_model_card(model_)->precision;
  return precision_word_ == "double" ? IRREP_FLOAT64 : IRREP_FLOAT32;
}

/* Before a run */

// Every pair of atoms within the cutoff belongs to the model: what would leave some out is refused.
void PairIrrep::check_neighbours() {
  if (neighbor->nex_type || neighbor->nex_group || neighbor->nex_mol)
    error->all(FLERR, "pair_style irrep: neigh_modify exclude would leave pairs out of the model");
  if (atom->molecular == Atom::ATOMIC || (atom->nbonds == 0 && atom->molecular != Atom::TEMPLATE))
    return;
  for (int i = 1; i <= 3; i++)
    if (force->special_lj[i] == 0.0 && force->special_coul[i] == 0.0)
      error->all(FLERR, "pair_style irrep: bonded pairs would be left out of the model: "
                        "use special_bonds lj/coul 1 1 1");
}

void PairIrrep::init_style() {
  if (strcmp(update->unit_style, "metal") != 0 && strcmp(update->unit_style, "real") != 0)
    error->all(FLERR, "pair_style irrep: units {}: they can be metal or real", update->unit_style);
  if (utils::strmatch(update->integrate_style, "^respa"))
    error->all(FLERR, "pair_style irrep: a model has no parts for the levels of run_style respa: "
                      "use run_style verlet");
  scale_ = strcmp(update->unit_style, "real") == 0
               ? utils::get_conversion_factor(utils::ENERGY, utils::METAL2REAL)
               : 1.0;
  check_neighbours();
  neighbor->add_request(this, NeighConst::REQ_FULL);
}

double PairIrrep::init_one(int, int) {
  return irrep_model_card(model_)->r_max;
}

/* A step */

void PairIrrep::compute(int eflag, int vflag) {
  const double begin = platform::walltime();
  ev_init(eflag, vflag);
  try {
    number_atoms();
    find_edges();
  } catch (const std::bad_alloc &) {
    error->one(FLERR, "pair_style irrep: no memory for the neighbours of {} atoms", atom->nlocal);
  }
  evaluate();
  if (dispersion_->is_wanted())
    add_dispersion();
  add_forces();
  add_tallies();
  n_steps_++;
  seconds_ += platform::walltime() - begin;
}

// After a run: what an atom takes, and what ranks wait, by which one can plan larger runs.
void PairIrrep::finish() {
  const double n_local = static_cast<double>(n_local_);
  double mine[5] = {memory_usage(), sent_, n_local, seconds_, waited_}, all[5];
  MPI_Allreduce(mine, all, 5, MPI_DOUBLE, MPI_SUM, world);
  if (comm->me == 0 && n_steps_ > 0 && all[2] > 0) {
    const double n_steps = static_cast<double>(n_steps_), n_ranks = comm->nprocs;
    utils::logmesg(lmp,
                   "pair_style irrep: {:.2f} kB of memory an atom, {:.2f} kB an atom and step sent "
                   "to ghosts\n",
                   all[0] / all[2] / 1e3, all[1] / n_steps / all[2] / 1e3);
    utils::logmesg(lmp,
                   "pair_style irrep: {:.3f} ms a step, of it {:.3f} ms in communication and "
                   "waiting for other ranks (means of ranks)\n",
                   1e3 * all[3] / n_steps / n_ranks, 1e3 * all[4] / n_steps / n_ranks);
  }
  sent_ = seconds_ = waited_ = 0.0;
  n_steps_ = 0;
}

// Places the atoms of this model in the graph: this rank's first, then ghosts, in LAMMPS' order.
void PairIrrep::number_atoms() {
  const size_t n_all = static_cast<size_t>(atom->nlocal) + static_cast<size_t>(atom->nghost);
  row_.assign(n_all, NOWHERE);
  atom_of_.clear();
  numbers_.clear();
  const auto place = [this](int i) {
    const int32_t number = number_of_[static_cast<size_t>(atom->type[i])];
    if (number == 0)
      return;
    row_[static_cast<size_t>(i)] = static_cast<uint32_t>(atom_of_.size());
    atom_of_.push_back(i);
    numbers_.push_back(number);
  };
  for (int k = 0; k < list->inum; k++)
    place(list->ilist[k]);
  n_local_ = atom_of_.size();
  for (int i = atom->nlocal; i < atom->nlocal + atom->nghost; i++)
    place(i);
  if (neighbor->ago == 0 || n_total_ == 0) {
    bigint n = static_cast<bigint>(n_local_), total = 0;
    MPI_Allreduce(&n, &total, 1, MPI_LMP_BIGINT, MPI_SUM, world);
    n_total_ = static_cast<size_t>(total);
  }
}

// LAMMPS' list reaches further than the cutoff, by the skin. The edges are counted first, so that
// the arrays are no larger than they have to be.
void PairIrrep::find_edges() {
  const double r_max = irrep_model_card(model_)->r_max, most = r_max * r_max;
  const double *const *x = atom->x;
  const auto for_edges = [&](const auto &take) {
    for (size_t row = 0; row < n_local_; row++) {
      const int i = atom_of_[row];
      for (int k = 0; k < list->numneigh[i]; k++) {
        const int j = list->firstneigh[i][k] & NEIGHMASK;
        const double d[3] = {x[i][0] - x[j][0], x[i][1] - x[j][1], x[i][2] - x[j][2]};
        if (!(d[0] * d[0] + d[1] * d[1] + d[2] * d[2] >= most) && row_of(j) != NOWHERE)
          take(row, row_of(j), d);
      }
    }
  };
  size_t n_edges = 0, e = 0;
  for_edges([&n_edges](size_t, size_t, const double *) { n_edges++; });
  if (n_edges > UINT32_MAX)
    error->one(FLERR, "pair_style irrep: more than 2^32 - 1 edges on rank {}: use more ranks",
               comm->me);
  irrep_fit(senders_, n_edges);
  irrep_fit(vectors_, 3 * n_edges);
  first_edge_.assign(n_local_ + 1, 0);
  for_edges([this, &e](size_t row, size_t sender, const double *d) {
    senders_[e] = static_cast<uint32_t>(sender);
    std::copy(d, d + 3, &vectors_[3 * e]);
    first_edge_[row + 1] = static_cast<uint32_t>(++e);
  });
  for (size_t row = 0; row < n_local_; row++) // atoms without edges
    first_edge_[row + 1] = std::max(first_edge_[row + 1], first_edge_[row]);
}

std::string PairIrrep::atoms_of(const struct irrep_error &why) const {
  const char *digits = strpbrk(why.field, "0123456789");
  if (!digits)
    return "";
  const size_t at = strtoul(digits, nullptr, 10);
  const auto name = [this](size_t row) { return std::to_string(atom->tag[atom_of_[row]]); };
  if (strncmp(why.field, "numbers/", 8) == 0 && at < atom_of_.size())
    return " (atom " + name(at) + ")";
  if (strncmp(why.field, "vectors/", 8) != 0 || at >= senders_.size())
    return "";
  const auto after = std::upper_bound(first_edge_.begin(), first_edge_.end(), at);
  const auto receiver = static_cast<size_t>(after - first_edge_.begin()) - 1;
  return " (atoms " + name(receiver) + " and " + name(senders_[at]) + ")";
}

void PairIrrep::fail(const char *what, const struct irrep_error &why) {
  error->one(FLERR, "pair_style irrep: {}: {}{}: {}", what, irrep_status_message(why.status),
             atoms_of(why), why.detail);
}

void PairIrrep::evaluate() {
  struct irrep_graph_arrays arrays = IRREP_GRAPH_ARRAYS_INIT;
  arrays.cutoff = irrep_model_card(model_)->r_max;
  arrays.n_local = n_local_;
  arrays.n_atoms = atom_of_.size();
  arrays.n_edges = senders_.size();
  arrays.numbers = numbers_.data();
  arrays.first_edge = first_edge_.data();
  arrays.senders = senders_.data();
  arrays.vectors = vectors_.data();
  arrays.n_total = n_total_;
  struct irrep_graph *graph = nullptr;
  struct irrep_error why;
  struct irrep_plan plan = IRREP_PLAN_INIT;
  if (irrep_graph_view(&arrays, &graph, &why) != IRREP_OK ||
      irrep_graph_plan(graph, &plan, &why) != IRREP_OK)
    fail("the neighbour list", why);

  struct irrep_evaluate_options options = IRREP_EVALUATE_OPTIONS_INIT;
  struct irrep_exchange exchange = IRREP_EXCHANGE_INIT;
  exchange.context = this;
  exchange.rows = &PairIrrep::exchange;
  options.precision = precision();
  options.exchange = &exchange;
  options.heads = &head_;
  const size_t bytes = irrep_model_bytes_for(model_, &options, &plan);
  graph_bytes_ = irrep_graph_bytes(graph);
  try {
    options.team = team_.prepare(irrep_model_helper_bytes(model_, precision()));
    irrep_fit(energies_, n_local_);
    irrep_fit(forces_, 3 * atom_of_.size());
    irrep_fit(virials_, vflag_atom ? 9 * atom_of_.size() : 0);
    arena_.need(bytes);
  } catch (const std::bad_alloc &) {
    error->one(FLERR,
               "pair_style irrep: {:.1f} MB are not there for {} atoms with {} edges on "
               "rank {}: use more ranks",
               static_cast<double>(bytes) / 1e6, n_local_, senders_.size(), comm->me);
  }

  result_ = IRREP_RESULT_INIT;
  result_.energies = energies_.data();
  result_.forces = forces_.data();
  result_.stresses = vflag_atom ? virials_.data() : nullptr;
  const enum irrep_status status = irrep_model_evaluate_graphs(
      model_, &options, &graph, 1, arena_.data(), arena_.size(), &result_, &why);
  irrep_graph_free(graph);
  if (status != IRREP_OK)
    fail("the evaluation", why);
  if (result_.status != IRREP_OK)
    error->one(FLERR, "pair_style irrep: {} at step {}", irrep_status_message(result_.status),
               update->ntimestep);
}

// Ghosts are due within the cutoffs of DFT-D3 until LAMMPS finds new ones.
void PairIrrep::add_dispersion() {
  const double due = dispersion_->cutoff() + neighbor->skin, there = comm->get_comm_cutoff();
  if (there < due)
    error->all(
        FLERR,
        "pair_style irrep: dispersion needs ghosts within {:.4g} Angstrom, its cutoff and the "
        "skin; there are those within {:.4g}: use comm_modify cutoff {:.4g}",
        due, there, std::ceil(100 * due) / 100);
  struct irrep_evaluate_options options = IRREP_EVALUATE_OPTIONS_INIT;
  struct irrep_exchange exchange = IRREP_EXCHANGE_INIT;
  struct irrep_error why;
  enum irrep_status status = IRREP_NO_MEMORY;
  exchange.context = this;
  exchange.rows = &PairIrrep::exchange;
  options.exchange = &exchange;
  try {
    options.team = team_.prepare(irrep_model_helper_bytes(model_, precision()));
    status = dispersion_->add(options, numbers_, atom->x, atom_of_, n_local_, vflag_atom != 0,
                              result_, why);
  } catch (const std::bad_alloc &) {
    error->one(FLERR, "pair_style irrep: no memory for the dispersion of {} atoms on rank {}",
               atom_of_.size(), comm->me);
  }
  if (status != IRREP_OK)
    fail("dispersion", why);
  if (result_.status != IRREP_OK)
    error->one(FLERR, "pair_style irrep: dispersion: {} at step {}",
               irrep_status_message(result_.status), update->ntimestep);
}

// With newton on, LAMMPS takes home what is added to ghosts.
void PairIrrep::add_forces() {
  if (!force->newton_pair)
    communicate(forces_.data(), 3, sizeof(double), false);
  const size_t n = force->newton_pair ? atom_of_.size() : n_local_;
  for (size_t row = 0; row < n; row++)
    for (size_t k = 0; k < 3; k++)
      atom->f[atom_of_[row]][k] += scale_ * forces_[3 * row + k];
}

void PairIrrep::add_tallies() {
  if (eflag_global)
    eng_vdwl += scale_ * result_.energy;
  if (eflag_atom)
    for (size_t row = 0; row < n_local_; row++)
      eatom[atom_of_[row]] += scale_ * energies_[row];
  static const size_t pairs[6][2] = {{0, 0}, {1, 1}, {2, 2}, {0, 1}, {0, 2}, {1, 2}};
  if (vflag_global)
    for (size_t k = 0; k < 6; k++)
      virial[k] += scale_ * result_.virial[pairs[k][0]][pairs[k][1]];
  if (!vflag_atom)
    return;
  if (!force->newton_pair)
    communicate(virials_.data(), 9, sizeof(double), false);
  const size_t n = force->newton_pair ? atom_of_.size() : n_local_;
  for (size_t row = 0; row < n; row++)
    for (size_t k = 0; k < 6; k++)
      vatom[atom_of_[row]][k] += scale_ * virials_[9 * row + 3 * pairs[k][0] + pairs[k][1]];
}

double PairIrrep::memory_usage() {
  const size_t edges =
      senders_.capacity() * sizeof(uint32_t) + vectors_.capacity() * sizeof(double);
  const size_t atoms =
      row_.capacity() * (2 * sizeof(uint32_t) + sizeof(int32_t)) +
      (energies_.capacity() + forces_.capacity() + virials_.capacity()) * sizeof(double);
  return Pair::memory_usage() + static_cast<double>(arena_.size() + graph_bytes_ + edges + atoms) +
         dispersion_->memory_usage();
}

/* Communication of ghosts */

int PairIrrep::exchange(void *context, void *rows, size_t width, size_t real_size, bool forward) {
  return static_cast<PairIrrep *>(context)->communicate(rows, width, real_size, forward) ? 0 : 1;
}

// LAMMPS sends doubles: they carry the bytes of the reals, a pass of columns at a time.
bool PairIrrep::communicate(void *rows, size_t width, size_t real_size, bool forward) {
  const double begin = platform::walltime();
  const size_t most = PASS * sizeof(double) / real_size;
  for (size_t first = 0; first < width; first += most) {
    rows_ = {static_cast<char *>(rows), width, real_size, first, std::min(most, width - first)};
    if (forward)
      comm->forward_comm(this, static_cast<int>(packed()));
    else
      comm->reverse_comm(this, static_cast<int>(packed()));
  }
  waited_ += platform::walltime() - begin;
  return true;
}

size_t PairIrrep::packed() const {
  return (rows_.n * rows_.real_size + sizeof(double) - 1) / sizeof(double);
}

int PairIrrep::pack_forward_comm(int n, int *list, double *buffer, int, int *) {
  for (int k = 0; k < n; k++, buffer += packed()) {
    const size_t row = row_of(list[k]);
    if (row != NOWHERE)
      memcpy(buffer, at(row), rows_.n * rows_.real_size);
    else
      memset(buffer, 0, packed() * sizeof(double));
  }
  sent_ += static_cast<double>(n) * static_cast<double>(packed() * sizeof(double));
  return n * static_cast<int>(packed());
}

void PairIrrep::unpack_forward_comm(int n, int first, double *buffer) {
  for (int i = first; i < first + n; i++, buffer += packed())
    if (row_of(i) != NOWHERE)
      memcpy(at(row_of(i)), buffer, rows_.n * rows_.real_size);
}

int PairIrrep::pack_reverse_comm(int n, int first, double *buffer) {
  for (int i = first; i < first + n; i++, buffer += packed()) {
    if (row_of(i) != NOWHERE)
      memcpy(buffer, at(row_of(i)), rows_.n * rows_.real_size);
    else
      memset(buffer, 0, packed() * sizeof(double));
  }
  sent_ += static_cast<double>(n) * static_cast<double>(packed() * sizeof(double));
  return n * static_cast<int>(packed());
}

// Adds reals that lie in a buffer of doubles.
template <typename Real> static void add(char *to, const double *from, size_t n) {
  for (size_t i = 0; i < n; i++) {
    Real sum, more;
    memcpy(&sum, to + i * sizeof(Real), sizeof(Real));
    memcpy(&more, reinterpret_cast<const char *>(from) + i * sizeof(Real), sizeof(Real));
    sum += more;
    memcpy(to + i * sizeof(Real), &sum, sizeof(Real));
  }
}

void PairIrrep::unpack_reverse_comm(int n, int *list, double *buffer) {
  for (int k = 0; k < n; k++, buffer += packed()) {
    const size_t row = row_of(list[k]);
    if (row == NOWHERE)
      continue;
    if (rows_.real_size == sizeof(float))
      add<float>(at(row), buffer, rows_.n);
    else
      add<double>(at(row), buffer, rows_.n);
  }
}
